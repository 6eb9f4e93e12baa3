"""API7, server side request forgery; API8, injection into headers and into cells of the results."""

import csv
import io
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.access_matrix import Risk, at_risk, send_request
from tests.support.declared_routes import Declared
from tests.support.http_client import API, BearerClient, Client
from tests.support.uploads import HEADER, ended, results, upload

HOST_HEADERS = (
    "Host",
    "X-Forwarded-Host",
    "X-Forwarded-For",
    "X-Original-URL",
    "Forwarded",
    "Referer",
    "Origin",
)
"""Headers from which some services derive their own host or the host to call."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""From OWASP's page on CSV injection. The last four are the full-width forms of the first four."""
FORMULAS = [f"{start}HYPERLINK(1)" for start in FORMULA_STARTS]
AFTER_SEPARATORS = {
    "a;=HYPERLINK(1)": "a;'=HYPERLINK(1)",
    "a;;@x;-2": "a;;'@x;'-2",
    'a;"=x': """a;"'=x""",
    "a\t+x": "a\t'+x",
    "\t=x": "\t'=x",
    "a\n\uff1dx": "a\n'\uff1dx",
    "[1,-2;3,=x]": "[1,-2;3,=x]",
}
"""Cells that spreadsheets split in some locales, with their escaped form in the results."""
HEADER_SPLITTING = "x\r\nX-Injected: yes\r\n\r\n"


class Canary:
    """A server that counts connections. No test may cause any."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.visits = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            visitor.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


@pytest.fixture(scope="module")
def caller(account: Callable[..., Client], url: str) -> Iterator[Client]:
    """An admin, so that no route returns 403."""
    caller = BearerClient(url, account(role="admin").email)
    yield caller
    caller.close()


def with_text(route: Declared, text: str) -> dict[str, Any]:
    """Return a body with this text in every field that may be text."""
    texts = {name for name, schema in route.fields.items() if schema.get("type", "string") == "string"}
    return {**route.body(), **dict.fromkeys(texts, text)} if route.schema else {}


@pytest.mark.local
@at_risk(Risk.FETCHES)
def test_service_never_connects_to_or_trusts_an_address_from_a_request(
    caller: Client, canary: Canary, route: Declared
) -> None:
    address = f"http://{canary.name}/"
    headers = dict.fromkeys(HOST_HEADERS, canary.name)
    content: dict[str, Any] = {"json": with_text(route, address)} if route.schema else {}
    if "multipart/form-data" in route.operation.get("requestBody", {}).get("content", {}):
        content = {"files": {"file": (address, HEADER + f'addition,"[""{address}""]"\n'.encode())}}
    query = {"url": address, "redirect": address, "callback": address}
    for response in (
        send_request(caller, route, **content, headers=headers),
        send_request(caller, route, address.replace("/", "%2F"), **content, params=query),
    ):
        assert response.status_code < 500
        assert all(canary.name not in value for value in response.headers.values())
        if route.path == f"{API}/tasks" and response.is_success and route.method == "POST":
            assert canary.name not in response.json()["url"]
        if route.path == f"{API}/process_csv" and response.is_success:
            assert ended(caller, response.headers["Location"])["rows_done"] == 1, (
                "the worker must read it, too"
            )
    assert canary.visits == 0


@at_risk(Risk.FETCHES)
def test_only_webhooks_have_a_url_in_their_body(route: Declared) -> None:
    """The sender's own tests cover that URL (tests/unit/test_webhook_urls.py)."""
    if "/webhooks" in route.path:
        return
    assert not [name for name, schema in route.fields.items() if schema.get("format") in ("uri", "url")]
    assert not [name for name in route.fields if "url" in name.lower()]


@at_risk(Risk.HEADERS)
def test_request_data_never_becomes_a_response_header(caller: Client, route: Declared) -> None:
    injected = "x%0d%0aX-Injected:%20yes%0d%0a%0d%0a"
    own = {"X-Request-Id": "chosen", "Idempotency-Key": "chosen", "Origin": "https://evil.example"}
    content: dict[str, Any] = {"json": with_text(route, HEADER_SPLITTING)} if route.schema else {}
    if "multipart/form-data" in route.operation.get("requestBody", {}).get("content", {}):
        content = {"files": {"file": (HEADER_SPLITTING, HEADER)}}
    target = f"{route.concrete(injected)}?x={injected}&{injected}=x"
    for response in (
        caller.request(route.method, target, **content),
        send_request(caller, route, **content, headers=own),
    ):
        assert response.status_code < 500
        assert "X-Injected" not in response.headers
        for name, value in response.headers.items():
            assert "chosen" not in value, name
            assert "evil" not in value, name
            assert not set(value) & {"\r", "\n"}, name


def test_no_cell_of_the_results_starts_a_formula(client: Client, s3: httpx.Client) -> None:
    rows = "".join(f'"{text}","[1, 2]"\naddition,"{text}"\n' for text in FORMULAS)
    path = upload(client, HEADER + rows.encode() + b'addition,"[-1, -2]"\n')
    assert ended(client, path)["status"] == "completed"
    *bad, good = results(client, path, s3)
    assert len(bad) == 2 * len(FORMULAS)
    for row, formula in zip(bad, (text for text in FORMULAS for _ in range(2)), strict=True):
        assert f"'{formula}" in (row["operation"], row["arguments"])
        assert not [cell for cell in row.values() if cell.startswith(FORMULA_STARTS)], row
    assert good["result"] == "-3", "a negative number is not escaped"


def test_no_cell_of_the_results_has_a_formula_after_a_separator(client: Client, s3: httpx.Client) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(
        [pair for cell in AFTER_SEPARATORS for pair in ((cell, "[]"), ("addition", cell))]
    )
    path = upload(client, HEADER + file.getvalue().encode())
    assert ended(client, path)["status"] == "completed"
    rows = results(client, path, s3)
    assert [row["operation"] for row in rows[::2]] == [*AFTER_SEPARATORS.values()]
    assert [row["arguments"] for row in rows[1::2]] == [*AFTER_SEPARATORS.values()]
    assert not [row["error"] for row in rows if set(row["error"].split(";")) & {"=HYPERLINK(1)'", "@x"}]
