"""Uploaded forms: whole, or refused."""

import base64

import pytest

from shared.errors import InvalidInput, MalformedRequest
from shared.multipart import check_form
from shared.tasks import plain_name


def form(boundary: str = "xyz", content: bytes = b"a,b\r\n") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def check(content_type: str, body: bytes) -> None:
    check_form(content_type, base64.b64encode(body).decode(), "file", is_base64=True)


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=xyz", "xyz"),
        ('multipart/form-data; boundary="x y:z"', "x y:z"),
        ("multipart/form-data;BOUNDARY=xyz; charset=utf-8", "xyz"),
        ("multipart/form-data; boundary=" + "b" * 70, "b" * 70),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_a_whole_form_is_taken_whatever_its_length(content_type: str, boundary: str, size: int) -> None:
    body = form(boundary, b"x" * size)
    check(content_type, body)
    check_form(content_type, body.decode(), "file", is_base64=False)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_a_form_that_was_cut_off_anywhere_is_refused(size: int) -> None:
    whole = form(content=b"x" * size)
    for end in {1, 5, len(whole) // 2, len(whole) - 5, len(whole) - 3}:
        with pytest.raises(MalformedRequest):
            check("multipart/form-data; boundary=xyz", whole[:end])


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "b" * 71,
        "multipart/form-data; boundary=other",
    ],
)
def test_a_form_without_its_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedRequest):
        check(content_type, form())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.csv", "a.csv"),
        ("Müller 1.csv", "Müller 1.csv"),
        ("a\r\nb\0.csv", "ab.csv"),
        ("x" * 300, "x" * 255),
        ("", "upload.csv"),
        (None, "upload.csv"),
        ("\n", "upload.csv"),
    ],
)
def test_a_files_name_is_kept_as_far_as_it_can_be(given: str | None, kept: str) -> None:
    assert plain_name(given) == kept


@pytest.mark.parametrize("names", [["zzz"], ["file", "zzz"], ["zzz", "file"], ["file", "file"]])
def test_a_form_with_anything_but_the_one_file_is_refused(names: list[str]) -> None:
    parts = [
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\nx' for name in names
    ]
    with pytest.raises(InvalidInput):
        check("multipart/form-data; boundary=xyz", ("\r\n".join(parts) + "\r\n--xyz--\r\n").encode())
