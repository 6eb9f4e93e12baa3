"""The URL of the service."""

DEFAULT_URL = "http://localhost:8080"
"""Where `make up` starts the service."""


def service_url(url: str | None) -> str:
    """Return a URL, by default DEFAULT_URL, without a slash at its end.

    Raises: ValueError if it is not a URL of the web.
    """
    given = (url or DEFAULT_URL).rstrip("/")
    if not given.startswith(("http://", "https://")):
        raise ValueError(f"{given!r} is not a URL of the service. It must begin with http:// or https://.")
    return given
