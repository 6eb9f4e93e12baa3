"""A client of the service: a browser with its cookies, or a program with its key."""

import json
import ssl
from decimal import Decimal
from functools import cache
from typing import Any, Self
from uuid import uuid4

import httpx

API = "/api/v1"
PASSWORD = "correct-horse-1!"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def new_email() -> str:
    """Return an unused e-mail, so that tests do not share accounts."""
    return f"{uuid4().hex}@e2e.example"


class Client(httpx.Client):
    """A client of the service.

    Args:
        url: the URL of the service.
        address: the source address. None for any.
        bearer: an access token or API key to send instead of cookies.
    """

    def __init__(self, url: str, *, address: str | None = None, bearer: str | None = None) -> None:
        tls = _tls()
        super().__init__(
            base_url=url,
            verify=tls,
            transport=httpx.HTTPTransport(verify=tls, local_address=address) if address else None,
            trust_env=url.startswith("https"),  # no proxy for local addresses
            headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
            timeout=30,
        )
        self.csrf: str | None = None
        """Sent as X-CSRF-TOKEN with every unsafe request."""
        self.email = ""

    def request(self, method: str, url: Any, **how: Any) -> httpx.Response:
        if self.csrf is not None and method.upper() not in SAFE_METHODS:
            how["headers"] = {"X-CSRF-TOKEN": self.csrf, **(how.get("headers") or {})}
        return super().request(method, url, **how)

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in or up. Keep the CSRF token for later requests."""
        response = self.post("/login", json={"email": email, "password": password})
        if response.is_success:
            self.csrf, self.email = response.json()["csrf_token"], email
        return response

    def sign_up(self) -> Self:
        """Create an account with the opening credit of 20."""
        assert self.sign_in(new_email()).status_code == 200
        return self

    def refresh(self) -> httpx.Response:
        response = self.post("/refresh")
        if response.is_success:
            self.csrf = response.json()["csrf_token"]
        return response

    def compute(self, type: str = "addition", *arguments: Any, key: str | None = None) -> httpx.Response:
        """Call an operation, `1 + 2` by default. `key` is the Idempotency-Key."""
        body = {"type": type, "arguments": list(arguments or ((1, 2) if type == "addition" else ()))}
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.post(f"{API}/process_operation", json=body, headers=headers)

    @property
    def me(self) -> dict[str, Any]:
        return exact(self.get(f"{API}/users/me"))

    @property
    def id(self) -> str:
        return str(self.me["id"])

    @property
    def balance(self) -> Decimal:
        return Decimal(self.me["balance"])

    @property
    def access_token(self) -> str:
        return self.cookies["access_token_cookie"]

    def rows(self, resource: str, **query: Any) -> list[dict[str, Any]]:
        """Return every row of a list, newest first, by following its cursor."""
        rows, page = [], exact(self.get(f"{API}/{resource}", params={"page_size": 100, **query}))
        rows += page[resource]
        while page["next_cursor"]:
            query["cursor"] = page["next_cursor"]
            page = exact(self.get(f"{API}/{resource}", params={"page_size": 100, **query}))
            rows += page[resource]
        return rows


def exact(response: httpx.Response) -> Any:
    """Return the JSON of a success, with its numbers as exact decimals."""
    assert response.is_success, response.text
    return json.loads(response.text, parse_float=Decimal)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class BearerClient(Client):
    """A client with a session's bearer token. It signs in again after each `POST /logout`."""

    def __init__(self, url: str, email: str) -> None:
        super().__init__(url)
        self.email = email
        self._renew_token()

    def request(self, method: str, url: Any, **how: Any) -> httpx.Response:
        response = super().request(method, url, **how)
        if str(url).endswith("/logout"):
            self._renew_token()
        return response

    def _renew_token(self) -> None:
        body = {"email": self.email, "password": PASSWORD, "token": True}
        token = exact(super().request("POST", "/login", json=body))["access_token"]
        self.headers["Authorization"] = f"Bearer {token}"
