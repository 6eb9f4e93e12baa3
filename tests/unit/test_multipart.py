"""Parsing of multipart forms: an upload arrives complete, or the form is rejected."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput, MalformedRequest
from shared.http.forms import PARTS_LIMIT, parse_upload
from shared.tasks import plain_name

TYPE = "multipart/form-data; boundary=xyz"
DISPOSITION = 'form-data; name="file"; filename="a.csv"'


def part(
    content: bytes = b"x", disposition: str = DISPOSITION, *headers: str, boundary: str = "xyz"
) -> bytes:
    head = "".join(f"\r\n{header}" for header in [f"Content-Disposition: {disposition}", *headers])
    return f"--{boundary}{head}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes, boundary: str = "xyz") -> bytes:
    return b"".join(parts or [part()]) + f"--{boundary}--\r\n".encode()


def pointers(body: bytes) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        parse_upload(TYPE, body)
    return [fault["pointer"] for fault in caught.value.errors]


# File contents that resemble the form's own syntax.
fragments = st.sampled_from(
    [
        *[b"\r", b"\n", b"\r\n", b"-", b"--", b"--xyz", b"\n--xyz", b"\r\n--xy", b"xyz", b"xyz--"],
        *[b"\r\n--xyz", b"\r\n--xyz-", b"\r\n--xyz--", b"\r\n--xyz \t", b"\r\n\r\n"],
        b'Content-Disposition: form-data; name="b"',
    ]
)
lookalikes = st.lists(fragments | st.binary(max_size=8)).map(b"".join)


@given(st.binary() | lookalikes)
def test_file_without_the_boundary_arrives_unchanged(content: bytes) -> None:
    if b"\r\n--xyz" not in b"\r\n" + content:
        assert parse_upload(TYPE, form(part(content))) == ("a.csv", content)


@given(lookalikes)
def test_file_with_the_boundary_is_never_truncated(content: bytes) -> None:
    try:
        upload = parse_upload(TYPE, form(part(content)))
    except (InvalidInput, MalformedRequest):
        return
    assert upload.content == content


@pytest.mark.parametrize(
    "line", [b"--xyz", b"a--xyz", b" --xyz\r", b"-xyz--\r", b"--xy\r", b"\r\n--xy", b"\r\n---xyz--"]
)
def test_line_that_resembles_the_boundary_belongs_to_the_file(line: bytes) -> None:
    content = b"operation,arguments\n" + line + b'\naddition,"[1, 2]"\n'
    assert parse_upload(TYPE, form(part(content))).content == content


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=xyz",
        'multipart/form-data; boundary="xyz"',
        "multipart/form-data; Boundary=xyz",
        "multipart/form-data;BOUNDARY=xyz; charset=utf-8",
        "multipart/form-data; charset=utf-8 ; boundary=xyz ",
    ],
)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, 100_000])
def test_boundary_parameter_may_have_any_case_and_quotes(content_type: str, size: int) -> None:
    assert parse_upload(content_type, form(part(b"x" * size))).content == b"x" * size


@pytest.mark.parametrize(
    "boundary", ["x y:z", "b" * 70, "----WebKitFormBoundary7MA4YWxk", "x;y", "'()+_,-./:=?"]
)
def test_boundary_may_contain_any_character_of_rfc_2046(boundary: str) -> None:
    body = form(part(b"1;2", boundary=boundary), boundary=boundary)
    assert parse_upload(f'multipart/form-data; boundary="{boundary}"', body).content == b"1;2"


@pytest.mark.parametrize(
    "disposition",
    [
        'form-data; name="file"; filename="a.csv"',
        'form-data; filename="a.csv"; name="file"',
        'form-data; NAME="file"; FileName="a.csv"',
        "form-data; name=file; filename=a.csv",
        'Form-Data;name="file";filename="a.csv"',
        'form-data; name="file"; filename="a.csv"; filename*=UTF-8\'\'b.csv',
    ],
)
def test_parameters_of_a_part_may_have_any_order_and_case(disposition: str) -> None:
    assert parse_upload(TYPE, form(part(b"x", disposition))) == ("a.csv", b"x")
    lower = form(part(b"x", disposition)).replace(b"Content-Disposition", b"content-disposition")
    assert parse_upload(TYPE, lower) == ("a.csv", b"x")


@pytest.mark.parametrize(
    ("filename", "kept"),
    [("Größe 🧮.csv", "Größe 🧮.csv"), ("a;b.csv", "a;b.csv"), ("x" * 1000, "x" * 1000), ("", "")],
)
def test_filename_arrives_as_sent(filename: str, kept: str) -> None:
    body = form(part(b"x", f'form-data; name="file"; filename="{filename}"', "Content-Type: text/csv"))
    assert parse_upload(TYPE, body) == (kept, b"x")


@pytest.mark.parametrize("encoding", ["7bit", "8BIT", "binary"])
def test_identity_transfer_encoding_is_accepted(encoding: str) -> None:
    body = form(part(b"a=3D", DISPOSITION, f"Content-Transfer-Encoding: {encoding}"))
    assert parse_upload(TYPE, body).content == b"a=3D"


def test_base64_part_is_decoded_and_an_unknown_encoding_is_rejected() -> None:
    encoded = form(part(b"YSxiCg==", DISPOSITION, "Content-Transfer-Encoding: base64"))
    assert parse_upload(TYPE, encoded).content == b"a,b\n"
    with pytest.raises(MalformedRequest):
        parse_upload(TYPE, form(part(b"x", DISPOSITION, "Content-Transfer-Encoding: rot13")))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_truncated_form_is_rejected(size: int) -> None:
    whole = form(part(b"x" * size)).rstrip()
    for end in range(len(whole)):
        with pytest.raises(MalformedRequest):
            parse_upload(TYPE, whole[:end])


@pytest.mark.parametrize("blank", [b"", b"\r\n", b"\r\n\r\n", b" \t\r\n", b"\n"])
def test_whitespace_around_the_form_is_ignored(blank: bytes) -> None:
    assert parse_upload(TYPE, form().rstrip() + blank).content == b"x"
    assert parse_upload(TYPE, b"\r\n" + form() + blank).content == b"x"


@pytest.mark.parametrize("after", [b"more", b"\r\nmore", b"\r\n--xyz--", b"-", b"\r\n--xyz\r\n"])
def test_data_after_the_final_boundary_is_rejected(after: bytes) -> None:
    with pytest.raises(MalformedRequest, match="follows"):
        parse_upload(TYPE, form().rstrip() + after)


def test_text_before_the_first_boundary_is_rejected() -> None:
    with pytest.raises(MalformedRequest):
        parse_upload(TYPE, b"This is a multi-part message.\r\n" + form())


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "b" * 300,
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=€",
    ],
)
def test_form_without_its_boundary_is_rejected(content_type: str) -> None:
    with pytest.raises(MalformedRequest):
        parse_upload(content_type, form())


@pytest.mark.parametrize(
    ("names", "faults"),
    [
        ([], ["#/file"]),
        (["zzz"], ["#/zzz", "#/file"]),
        (["file", "zzz"], ["#/zzz"]),
        (["a/b~c", "file"], ["#/a~1b~0c"]),
        (["file", "file"], ["#/file"]),
    ],
)
def test_form_with_missing_or_unexpected_parts_is_rejected(names: list[str], faults: list[str]) -> None:
    parts = [part(b"x", f'form-data; name="{name}"; filename="a"') for name in names]
    assert pointers(form(*parts) if parts else b"--xyz--") == faults
    fields = [part(b"x", f'form-data; name="{name}"') for name in names if name != "file"]
    if fields:
        assert pointers(form(part(), *fields)) == [fault for fault in faults if fault != "#/file"]


def test_file_field_without_a_filename_is_rejected() -> None:
    assert pointers(form(part(b"x", 'form-data; name="file"'))) == ["#/file"]


def test_form_with_too_many_parts_is_rejected() -> None:
    with pytest.raises(InvalidInput, match=str(PARTS_LIMIT)):
        parse_upload(TYPE, form(*[part()] * 70_000))


@pytest.mark.parametrize("piece", [b"\r\n--xyzA", b"\r\n--xy", b"\r", b"\r\n--xyz-a", b"-"])
def test_4_mb_that_resemble_the_boundary_are_parsed_within_10_seconds(piece: bytes) -> None:
    content = piece * (4 * 1024 * 1024 // len(piece))
    began = time.process_time()
    assert parse_upload(TYPE, form(part(content))).content == content
    assert time.process_time() - began < 10


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
def test_plain_name_removes_control_characters_and_truncates(given: str | None, kept: str) -> None:
    assert plain_name(given) == kept
