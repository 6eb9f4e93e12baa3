"""Check the settings of a deploy, before anything is packaged: `python -m deploy.validate_settings`."""

import re
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from deploy.config import place
from shared.database.url import PostgresUrl, rds_roots
from shared.schemas.field_types import PASSWORD_LENGTH as ACCEPTED
from shared.settings import PUBLISHED_ADMIN_PASSWORD, PUBLISHED_CLIENT_PASSWORD, SettingsError

KINDS = ("development", "production")
SECRET_BYTES = 32
"""RFC 7518, section 3.2: an HMAC key is at least as long as the hash."""
SECRET_VARIETY = 10
"""Different characters: what `openssl rand -hex 32` makes has 16, a key held down has one."""
PASSWORD_LENGTH = 12
"""ADMIN_PASSWORD makes an admin of whoever knows it, and one password stands between it and the money."""
ORIGIN = re.compile(r"https?://[^/*@\s]+")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
STAGE = re.compile(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?")
"""It is part of the bucket's name, which has 63 characters at most."""
FEWEST_CONNECTIONS = 30
"""resources/database/choice.cjs keeps 20 of them from the API."""
ZONES = re.compile(r"[a-z0-9-]+[a-z],[a-z0-9-]+[a-z]")
HERE = ("localhost", "127.0.0.1", "::1")
ROLLBACK_MINUTES = 180
"""The longest time for which CloudFormation watches alarms after a deploy."""


def demand(environment: Mapping[str, str]) -> None:
    """Exits naming all that is missing or weak."""
    if found := weaknesses(environment):
        sys.exit("\n".join(["Not deployed. Settings come from the environment and .env:", *found]))


def weaknesses(environment: Mapping[str, str]) -> list[str]:
    """Each setting that is missing or weak, one line each and never its value; empty when all is well."""
    return [f"  {name}: {reason}" for name, reason in _found(environment)]


def database_weaknesses(environment: Mapping[str, str]) -> list[str]:
    """Return the same lines for the settings that set-up writes into a database, and for its URL.

    The database may be at `localhost`: a tunnel to a private one ends there.
    """
    kind = environment.get("CONFIG_TYPE") or "production"
    found = [] if kind in KINDS else [("CONFIG_TYPE", f"is {' or '.join(KINDS)} for such a database")]
    if kind != "development":
        found += _passwords(environment)
    try:
        PostgresUrl.parse(environment["AWS_PGSQL_PATH"])
    except SettingsError as error:
        found.append(_url_fault(error))
    return [f"  {name}: {reason}" for name, reason in found]


def _found(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    kind = given.get("CONFIG_TYPE") or "production"
    if kind not in KINDS:
        yield "CONFIG_TYPE", f"is {' or '.join(KINDS)} on AWS"
    if not STAGE.fullmatch(given.get("STAGE") or "dev"):
        yield "STAGE", "is 1 to 22 small letters, digits and hyphens, as in dev"
    secret = given.get("JWT_SECRET_KEY", "")
    if not secret:
        yield "JWT_SECRET_KEY", "is missing; `openssl rand -hex 32` makes one"
    elif _guessable(secret):
        yield "JWT_SECRET_KEY", "is too easy to guess; `openssl rand -hex 32` makes a good one"
    if old := given.get("JWT_SECRET_KEY_OLD", ""):
        if _guessable(old):
            yield "JWT_SECRET_KEY_OLD", "is too easy to guess: leave it empty, and all sign in again"
        elif old == secret:
            yield "JWT_SECRET_KEY_OLD", "is JWT_SECRET_KEY itself; it is the key before that, or empty"
    if (origin := given.get("ORIGIN_SECRET", "")) and _guessable(origin):
        yield "ORIGIN_SECRET", "is too easy to guess; `openssl rand -hex 32` makes a good one"
    yield from _domain(given)
    yield from _frontend(given.get("FRONTEND_URL") or "http://localhost:3000", kind == "production")
    if kind == "production":
        yield from _passwords(given)
    minutes = given.get("ROLLBACK_MINUTES") or "0"
    if not (minutes.isdecimal() and int(minutes) <= ROLLBACK_MINUTES):
        yield "ROLLBACK_MINUTES", f"is a number of minutes, at most {ROLLBACK_MINUTES}"
    yield from _budget(given)
    if given.get("AWS_PGSQL_PATH"):
        yield from _given_database(given)
    else:
        yield from _own_database(given)


def _guessable(secret: str) -> bool:
    return len(secret.encode()) < SECRET_BYTES or len(set(secret)) < SECRET_VARIETY


def _domain(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    domain, certificate = given.get("DOMAIN", ""), given.get("CERTIFICATE_ARN", "")
    region = given.get("AWS_REGION") or "us-east-1"
    if domain and not DOMAIN.fullmatch(domain):
        yield "DOMAIN", "is a host name in small letters, as in api.example.com: no https://, no path"
    if certificate and not domain:
        yield "DOMAIN", "is missing, and CERTIFICATE_ARN is of no use without it"
    elif domain and not re.fullmatch(
        rf"arn:aws[\w-]*:acm:{re.escape(region)}:\d{{12}}:certificate/\S+", certificate
    ):
        yield "CERTIFICATE_ARN", "is the ARN of DOMAIN's certificate in Certificate Manager, in AWS_REGION"


def _frontend(url: str, production: bool) -> Iterator[tuple[str, str]]:
    if not ORIGIN.fullmatch(url):
        yield "FRONTEND_URL", "is one origin, as in https://app.example.com: no path, no star"
    elif production and (not url.startswith("https://") or urlsplit(url).hostname in HERE):
        yield "FRONTEND_URL", "is an https:// origin in production, and not this machine's"


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
        elif len(password) > ACCEPTED[1]:
            yield name, f"has more than {ACCEPTED[1]} characters, which nobody can sign in with"
    if given.get("ADMIN_PASSWORD") and given["ADMIN_PASSWORD"] == given.get("CLIENT_PASSWORD"):
        yield "ADMIN_PASSWORD", "is the same as CLIENT_PASSWORD: whoever knows the client's could make admins"


def _budget(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if dollars := given.get("BUDGET_DOLLARS"):
        if not dollars.isdecimal() or int(dollars) == 0:
            yield "BUDGET_DOLLARS", "is whole dollars a month, as in 50"
        if not given.get("ALARM_EMAIL"):
            yield "ALARM_EMAIL", "is missing, and BUDGET_DOLLARS needs an address to write to"


def _database(url: str) -> Iterator[tuple[str, str]]:
    try:
        database = PostgresUrl.parse(url)
        if database.tls:
            database.tls_context()
    except SettingsError as error:
        yield _url_fault(error)
        return
    if database.unix_folder or database.host in HERE:
        yield "AWS_PGSQL_PATH", "is on this machine, where no Lambda function can reach it"
    elif not database.tls:
        yield "AWS_PGSQL_PATH", "says sslmode=disable: the password would cross the internet in the open"


def _given_database(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from _database(given["AWS_PGSQL_PATH"])
    if given.get("DATABASE_PROXY") == "true":
        yield "DATABASE_PROXY", "is for the stack's own database; AWS_PGSQL_PATH names another"
    connections = given.get("DATABASE_CONNECTIONS") or str(FEWEST_CONNECTIONS)
    if not connections.isdecimal() or int(connections) < FEWEST_CONNECTIONS:
        yield (
            "DATABASE_CONNECTIONS",
            f"is a number from {FEWEST_CONNECTIONS}: what the database accepts at once",
        )


def _url_fault(error: SettingsError) -> tuple[str, str]:
    return "AWS_PGSQL_PATH", str(error).removeprefix("AWS_PGSQL_PATH ").removeprefix("AWS_PGSQL_PATH: ")


def _own_database(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        rds_roots(given.get("AWS_REGION") or "us-east-1")
    except SettingsError as error:
        yield "AWS_REGION", str(error)
    for name in ("DATABASE_MULTI_AZ", "DATABASE_PROXY"):
        if (given.get(name) or "false") not in ("true", "false"):
            yield name, "is true or false"
    if not ZONES.fullmatch(given.get("AVAILABILITY_ZONES") or "us-east-1a,us-east-1b"):
        yield "AVAILABILITY_ZONES", "is two zones by name, as in eu-west-1a,eu-west-1b"


if __name__ == "__main__":
    demand(place())
