"""The URL and the API key with which a client is created."""

import re
from urllib.parse import urlsplit

DEFAULT_URL = "http://localhost:8080"
"""Where `make up` starts the service."""


def service_url(url: str | None) -> str:
    """Return a URL, by default DEFAULT_URL, without a slash at its end. Raises: ValueError."""
    given = url or DEFAULT_URL
    try:
        parts = urlsplit(given)
        is_valid = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:  # the port is no number, or the address is no IPv6 address
        is_valid = False
    if not is_valid or re.search(r"\s", given):
        raise ValueError(f"{given!r} is not the URL of a service, such as https://api.example.com.")
    return given.rstrip("/")


def valid_api_key(key: str) -> str:
    """Return an API key without the spaces around it. Raises: ValueError if no header can contain it."""
    stripped = key.strip()
    if not re.fullmatch(r"[\x21-\x7e]*", stripped):
        raise ValueError(
            "The API key contains a space, a line break or a character that no key has. Copy it again."
        )
    return stripped
