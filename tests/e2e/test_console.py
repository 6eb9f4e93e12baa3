"""The pages of the console and of /docs, and their files: content codings, caching, policy, unknown names."""

import gzip
import re

import pytest

from tests.e2e.conftest import Connect
from tests.support import expect
from tests.support.http_client import API, Client

DAY = 24 * 60 * 60
PAGES = ("/", "/docs")


@pytest.fixture(scope="module")
def script(connect: Connect) -> str:
    """The name of the script that the page loads."""
    found = re.search(r'<script [^>]*src="/assets/([^"]+)"', connect().get("/").text)
    assert found, "the console is not built: run `make build/console/index.html`"
    return found[1]


def policy(client: Client, page: str) -> dict[str, list[str]]:
    """Return the sources of each directive of the page's Content-Security-Policy."""
    directives = client.get(page).headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, *sources in map(str.split, directives)}


@pytest.mark.parametrize("page", PAGES)
def test_page_is_html_whose_scripts_and_styles_are_files_of_the_service(anonymous: Client, page: str) -> None:
    response = anonymous.get(page)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    references = re.findall(r'<(?:script|link)[^>]*?(?:src|href)="([^"]+)"', response.text)
    assert {".js", ".css", ".svg"} == {reference[reference.rindex(".") :] for reference in references}
    for reference in references:
        assert re.fullmatch(r"/assets/[\w.-]+", reference)
        assert anonymous.get(reference).status_code == 200


@pytest.mark.parametrize("kind", ["page", "script"])
def test_file_has_the_smallest_coding_that_the_client_accepts(
    anonymous: Client, script: str, kind: str
) -> None:
    path = "/" if kind == "page" else f"/assets/{script}"
    sizes = {}
    for coding in ("identity", "gzip", "br"):
        response = anonymous.get(path, headers={"Accept-Encoding": f"gzip;q=0, {coding}, unknown"})
        if coding == "gzip":
            response = anonymous.get(path, headers={"Accept-Encoding": "gzip, br;q=0.0"})
        assert response.status_code == 200
        assert response.headers.get("Content-Encoding", "identity") == coding
        assert response.headers["Vary"] == "Accept-Encoding"
        sizes[coding] = int(response.headers["Content-Length"])
    assert sizes["br"] < sizes["gzip"] < sizes["identity"]


@pytest.mark.parametrize("accepted", ["", "*", "br;q=0", "gzip; q=0, br; q=0.000", "deflate, zstd"])
def test_file_is_not_compressed_for_a_client_that_accepts_no_coding(
    anonymous: Client, script: str, accepted: str
) -> None:
    response = anonymous.get(f"/assets/{script}", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert response.headers["Vary"] == "Accept-Encoding"


def test_compressed_file_has_the_bytes_of_the_plain_one(anonymous: Client, script: str) -> None:
    path = f"/assets/{script}"
    plain = anonymous.get(path, headers={"Accept-Encoding": "identity"}).content
    with anonymous.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as response:
        assert gzip.decompress(b"".join(response.iter_raw())) == plain


def test_file_with_a_hash_in_its_name_never_expires(anonymous: Client, script: str) -> None:
    response = anonymous.get(f"/assets/{script}")
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == f"public, max-age={365 * DAY}, immutable"


@pytest.mark.parametrize("page", PAGES)
def test_page_is_revalidated_by_a_strong_etag_of_each_coding(anonymous: Client, page: str) -> None:
    etags = set()
    for coding in ("identity", "gzip", "br"):
        headers = {"Accept-Encoding": coding}
        first = anonymous.get(page, headers=headers)
        assert first.headers["Cache-Control"] == "no-cache"
        etag = first.headers["ETag"]
        assert re.fullmatch(r'"[0-9a-f]+"', etag)
        for condition in (etag, f'"other", W/{etag}'):
            again = anonymous.get(page, headers={**headers, "If-None-Match": condition})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == etag
            assert again.headers["Cache-Control"] == "no-cache"
            assert again.headers["Vary"] == "Accept-Encoding"
            assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
        etags.add(etag)
        assert anonymous.get(page, headers={**headers, "If-None-Match": '"other"'}).status_code == 200
    assert len(etags) == 3


@pytest.mark.parametrize(
    "name",
    [
        *("nothing.js", "..", "../index.html", "../../../functions/console/index.py", "/etc/passwd", "~root"),
        *("..\\index.html", "%2e%2e%2findex.html", "a\0.js", "x" * 1000 + ".js", "ä.js"),
    ],
    ids=repr,
)
def test_other_name_returns_404_with_a_problem(anonymous: Client, script: str, name: str) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in name.encode())  # clients resolve a plain `..` themselves
    expect.problem(anonymous.get(f"/assets/{encoded}"), 404)


@pytest.mark.parametrize("suffix", [".br", ".gz", "/", "%00", "."])
def test_compressed_form_of_a_file_has_no_url_of_its_own(anonymous: Client, script: str, suffix: str) -> None:
    expect.problem(anonymous.get(f"/assets/{script}{suffix}"), 404)


@pytest.mark.parametrize("page", PAGES)
def test_policy_allows_only_the_service_and_the_bucket(client: Client, page: str) -> None:
    bucket = client.post(f"{API}/tasks", json={"filename": "a.csv", "size": 100}).json()["url"]
    own = ["'self'"]
    assert policy(client, page) == {
        "default-src": ["'none'"],
        "script-src": own,
        "style-src": own,
        "img-src": own,
        "font-src": own,
        "connect-src": ["'self'", bucket, f"{bucket}/"],
        "base-uri": ["'none'"],
        "form-action": own,
        "frame-ancestors": ["'none'"],
    }


@pytest.mark.parametrize("page", PAGES)
def test_page_contains_no_inline_script_and_no_inline_style(anonymous: Client, page: str) -> None:
    html = anonymous.get(page).text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", html)
