"""What a deploy demands of the settings, all of it said before anything is deployed."""

import re
from collections.abc import Iterator, Mapping

from shared.postgres_url import PostgresUrl
from shared.settings import PUBLISHED_ADMIN_PASSWORD, PUBLISHED_CLIENT_PASSWORD, SettingsError

KINDS = ("local", "development", "testing", "production")
SECRET_BYTES = 32
"""RFC 7518, section 3.2: an HMAC key is at least as long as the hash."""
SECRET_VARIETY = 10
"""Different characters: what `openssl rand -hex 32` makes has 16, a key held down has one."""
PASSWORD_LENGTH = 12
"""ADMIN_PASSWORD makes an admin of whoever knows it, and one password stands between it and the money."""
ORIGIN = re.compile(r"https?://[^/*@\s]+")


def weaknesses(environment: Mapping[str, str]) -> list[str]:
    """Each setting that is missing or weak, one line each and never its value; empty when all is well."""
    return [f"  {name}: {reason}" for name, reason in _found(environment)]


def _found(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    kind = given.get("CONFIG_TYPE") or "production"
    if kind not in KINDS:
        yield "CONFIG_TYPE", f"is one of {', '.join(KINDS)}"
    secret = given.get("JWT_SECRET_KEY", "")
    if not secret:
        yield "JWT_SECRET_KEY", "is missing; `openssl rand -hex 32` makes one"
    elif len(secret.encode()) < SECRET_BYTES or len(set(secret)) < SECRET_VARIETY:
        yield "JWT_SECRET_KEY", "is too easy to guess; `openssl rand -hex 32` makes a good one"
    if not ORIGIN.fullmatch(given.get("FRONTEND_URL") or "http://localhost:3000"):
        yield "FRONTEND_URL", "is one origin, as in https://app.example.com: no path, no star"
    if kind == "production":
        yield from _passwords(given)
    if given.get("AWS_PGSQL_PATH"):
        yield from _database(given["AWS_PGSQL_PATH"])


def _passwords(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, published in (
        ("CLIENT_PASSWORD", PUBLISHED_CLIENT_PASSWORD),
        ("ADMIN_PASSWORD", PUBLISHED_ADMIN_PASSWORD),
    ):
        password = given.get(name, "")
        if not password:
            yield name, "is missing, and production has no default for it"
        elif password == published:
            yield name, "must not be the published default in production"
        elif len(password) < PASSWORD_LENGTH:
            yield name, f"has fewer than {PASSWORD_LENGTH} characters"


def _database(url: str) -> Iterator[tuple[str, str]]:
    try:
        database = PostgresUrl.parse(url)
    except SettingsError as error:
        yield "AWS_PGSQL_PATH", str(error).removeprefix("AWS_PGSQL_PATH ").removeprefix("AWS_PGSQL_PATH: ")
        return
    if database.unix_folder or database.host in ("localhost", "127.0.0.1", "::1"):
        yield "AWS_PGSQL_PATH", "is on this machine, where no Lambda function can reach it"
    elif not database.tls:
        yield "AWS_PGSQL_PATH", "says sslmode=disable: the password would cross the internet in the open"
