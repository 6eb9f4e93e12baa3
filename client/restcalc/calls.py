"""Requests as values, and the session that signs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import msgspec

from restcalc.base_models import ReplayableModel
from restcalc.codec import decode, to_json
from restcalc.problems import unexpected

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

Id = UUID | str
"""An id, as a UUID or its text."""
UNCHANGED = msgspec.UNSET
"""The default of a member that a change leaves as it is."""
Unchanged = msgspec.UnsetType
API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Args:
        body: the members of a JSON body. Those that are UNCHANGED are left out.
        files: the files of a multipart body.
        repeatable: whether a second execution has no further effect. Only then is the call sent again.
        done_status: a status that means, for a repeated call, that the first one was carried out.
        bearer: a token to send instead of the client's credentials; an empty one sends none.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    files: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    done_status: int | None = None
    bearer: str | None = None

    @property
    def idempotency_key(self) -> str | None:
        return self.headers.get("Idempotency-Key")

    def content(self) -> bytes | None:
        """Return the JSON body."""
        if self.body is None:
            return None
        return to_json({name: value for name, value in self.body.items() if value is not UNCHANGED})


def path(*parts: object) -> str:
    """Return the path of a resource below /api/v1."""
    return "/".join([API, *(quote(str(part), safe="") for part in parts)])


def new_key() -> str:
    """Return a new idempotency key."""
    return str(uuid4())


def keyed(idempotency_key: str | None) -> dict[str, Any]:
    """Return the members of a Call to a route that honours Idempotency-Key, by default with a new key."""
    return {"headers": {"Idempotency-Key": idempotency_key or new_key()}, "repeatable": True}


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """The tokens of a session. As bearer tokens they need no CSRF token."""

    access: str
    refresh: str

    @classmethod
    def of(cls, response: httpx.Response) -> SessionTokens:
        """Return the tokens in the cookies that a sign-in sets. Raises: UnexpectedResponse."""
        pairs = (
            cookie.partition(";")[0].partition("=") for cookie in response.headers.get_list("Set-Cookie")
        )
        cookies = {name.strip(): value for name, _, value in pairs}
        try:
            return cls(cookies["access_token_cookie"], cookies["refresh_token_cookie"])
        except KeyError:
            raise unexpected(response, "it set no cookies of a session") from None


def parse(response: httpx.Response, model: type[T]) -> T:
    """Parse the body of a response. Raises: UnexpectedResponse."""
    try:
        parsed = decode(response.content, model)
    except msgspec.DecodeError as error:
        raise unexpected(response, str(error)) from None
    if isinstance(parsed, ReplayableModel) and response.headers.get("Idempotent-Replayed") == "true":
        parsed.mark_as_replay()
    return parsed


def http_options(url: str, timeout: float) -> dict[str, Any]:
    """Return the options of the httpx client that calls this URL.

    An http URL needs no certificates, which take 20 ms to load, and a local one needs no proxy.
    """
    from http.cookiejar import CookieJar, DefaultCookiePolicy
    from importlib.metadata import version

    parts = urlsplit(url)
    return {
        "verify": parts.scheme == "https",
        "trust_env": not _is_local(parts.hostname or ""),
        "timeout": timeout,
        "headers": {"User-Agent": f"restcalc/{version('restcalc')}"},
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),  # the tokens are sent as bearer tokens
    }


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
