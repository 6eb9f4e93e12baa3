"""Validate the settings before a deploy packages anything: `python -m deploy.validate_settings`."""

import re
import sys
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from deploy.config import load_environment
from shared.database.url import PostgresUrl, rds_roots
from shared.errors import SettingsError
from shared.schemas.field_types import PASSWORD_LENGTH as ACCEPTED_PASSWORD_LENGTH
from shared.settings import PUBLISHED_ADMIN_PASSWORD, PUBLISHED_CLIENT_PASSWORD

CONFIG_TYPES = ("development", "production")
MIN_SECRET_BYTES = 32
"""Minimum length of a secret in bytes. RFC 7518, section 3.2: an HMAC key is at least as long as the hash."""
MIN_SECRET_VARIETY = 10
"""Minimum number of different characters. `openssl rand -hex 32` has 16, a single repeated letter has 1."""
MIN_PASSWORD_LENGTH = 12
"""Minimum length in characters. ADMIN_PASSWORD alone creates admins, and admins can grant credit."""
ORIGIN = re.compile(r"https?://[^/*@\s]+")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
STAGE = re.compile(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?")
"""The stage is part of the bucket's name, which S3 limits to 63 characters."""
MIN_CONNECTIONS = 30
"""Minimum max_connections of a database. resources/database/choice.cjs reserves 20 for clients other than the
API."""
ZONES = re.compile(r"[a-z0-9-]+[a-z],[a-z0-9-]+[a-z]")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
MAX_ROLLBACK_MINUTES = 180
"""Maximum of the setting, in minutes: CloudFormation watches alarms for no longer after a deploy."""


def validate_settings(environment: Mapping[str, str]) -> None:
    """Exit with a line for each missing or weak setting, if there is any."""
    if errors := setting_errors(environment):
        sys.exit("\n".join(["Not deployed. Settings come from the environment and .env:", *errors]))


def setting_errors(environment: Mapping[str, str]) -> list[str]:
    """Return one line for each missing or weak setting, without its value."""
    return [f"  {name}: {reason}" for name, reason in _errors(environment)]


def database_setting_errors(environment: Mapping[str, str]) -> list[str]:
    """Return such lines for the database's URL and the settings that set-up uses.

    `localhost` is allowed, because it may be a tunnel to a private database.
    """
    config_type = environment.get("CONFIG_TYPE") or "production"
    errors = []
    if config_type not in CONFIG_TYPES:
        errors.append(("CONFIG_TYPE", f"must be {' or '.join(CONFIG_TYPES)}"))
    if config_type != "development":
        errors += _password_errors(environment)
    try:
        PostgresUrl.parse(environment["AWS_PGSQL_PATH"])
    except SettingsError as error:
        errors.append(_url_error(error))
    return [f"  {name}: {reason}" for name, reason in errors]


def _errors(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    config_type = environment.get("CONFIG_TYPE") or "production"
    if config_type not in CONFIG_TYPES:
        yield "CONFIG_TYPE", f"must be {' or '.join(CONFIG_TYPES)} on AWS"
    if not STAGE.fullmatch(environment.get("STAGE") or "dev"):
        yield "STAGE", "must be 1 to 22 lower-case letters, digits and hyphens, as in dev"
    secret = environment.get("JWT_SECRET_KEY", "")
    if not secret:
        yield "JWT_SECRET_KEY", "is missing. Generate one: openssl rand -hex 32"
    elif _guessable(secret):
        yield "JWT_SECRET_KEY", "is too easy to guess. Generate one: openssl rand -hex 32"
    if old := environment.get("JWT_SECRET_KEY_OLD", ""):
        if _guessable(old):
            yield (
                "JWT_SECRET_KEY_OLD",
                "is too easy to guess. Leave it empty; every user must then sign in again",
            )
        elif old == secret:
            yield "JWT_SECRET_KEY_OLD", "equals JWT_SECRET_KEY. Set it to the previous key, or leave it empty"
    if (origin := environment.get("ORIGIN_SECRET", "")) and _guessable(origin):
        yield "ORIGIN_SECRET", "is too easy to guess. Generate one: openssl rand -hex 32"
    yield from _domain_errors(environment)
    frontend = environment.get("FRONTEND_URL") or "http://localhost:3000"
    yield from _frontend_errors(frontend, config_type == "production")
    if config_type == "production":
        yield from _password_errors(environment)
    minutes = environment.get("ROLLBACK_MINUTES") or "0"
    if not (minutes.isdecimal() and int(minutes) <= MAX_ROLLBACK_MINUTES):
        yield "ROLLBACK_MINUTES", f"must be a whole number of minutes, at most {MAX_ROLLBACK_MINUTES}"
    yield from _budget_errors(environment)
    if environment.get("AWS_PGSQL_PATH"):
        yield from _given_database_errors(environment)
    else:
        yield from _own_database_errors(environment)


def _guessable(secret: str) -> bool:
    return len(secret.encode()) < MIN_SECRET_BYTES or len(set(secret)) < MIN_SECRET_VARIETY


def _domain_errors(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    domain, certificate = environment.get("DOMAIN", ""), environment.get("CERTIFICATE_ARN", "")
    region = environment.get("AWS_REGION") or "us-east-1"
    if domain and not DOMAIN.fullmatch(domain):
        yield "DOMAIN", "must be a lower-case host name without https:// or path, as in api.example.com"
    if certificate and not domain:
        yield "DOMAIN", "is missing. CERTIFICATE_ARN needs it"
    elif domain and not re.fullmatch(
        rf"arn:aws[\w-]*:acm:{re.escape(region)}:\d{{12}}:certificate/\S+", certificate
    ):
        yield (
            "CERTIFICATE_ARN",
            "must be the ARN of DOMAIN's certificate in Certificate Manager, in AWS_REGION",
        )


def _frontend_errors(url: str, production: bool) -> Iterator[tuple[str, str]]:
    if not ORIGIN.fullmatch(url):
        yield "FRONTEND_URL", "must be one origin without path or *, as in https://app.example.com"
    elif production and (not url.startswith("https://") or urlsplit(url).hostname in LOCAL_HOSTS):
        yield "FRONTEND_URL", "must be an https:// origin in production, and not on this machine"


def _password_errors(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, published in (
        ("CLIENT_PASSWORD", PUBLISHED_CLIENT_PASSWORD),
        ("ADMIN_PASSWORD", PUBLISHED_ADMIN_PASSWORD),
    ):
        password = environment.get(name, "")
        if not password:
            yield name, "is missing. Production has no default for it"
        elif password == published:
            yield name, "must not be the published default in production"
        elif len(password) < MIN_PASSWORD_LENGTH:
            yield name, f"must have at least {MIN_PASSWORD_LENGTH} characters"
        elif len(password) > ACCEPTED_PASSWORD_LENGTH[1]:
            yield (
                name,
                f"must have at most {ACCEPTED_PASSWORD_LENGTH[1]} characters; a sign-in rejects longer ones",
            )
    admin, client = environment.get("ADMIN_PASSWORD"), environment.get("CLIENT_PASSWORD")
    if admin and admin == client:
        yield "ADMIN_PASSWORD", "must differ from CLIENT_PASSWORD, because it also allows creating admins"


def _budget_errors(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if dollars := environment.get("BUDGET_DOLLARS"):
        if not dollars.isdecimal() or int(dollars) == 0:
            yield "BUDGET_DOLLARS", "must be whole dollars per month, as in 50"
        if not environment.get("ALARM_EMAIL"):
            yield "ALARM_EMAIL", "is missing. AWS sends the notifications of BUDGET_DOLLARS to it"


def _url_errors(url: str) -> Iterator[tuple[str, str]]:
    try:
        database = PostgresUrl.parse(url)
        if database.tls:
            database.tls_context()
    except SettingsError as error:
        yield _url_error(error)
        return
    if database.unix_folder or database.host in LOCAL_HOSTS:
        yield "AWS_PGSQL_PATH", "is on this machine, which Lambda can't reach"
    elif not database.tls:
        yield "AWS_PGSQL_PATH", "must not have sslmode=disable, which sends the password unencrypted"


def _given_database_errors(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from _url_errors(environment["AWS_PGSQL_PATH"])
    if environment.get("DATABASE_PROXY") == "true":
        yield "DATABASE_PROXY", "needs the stack's own database. Leave AWS_PGSQL_PATH or DATABASE_PROXY empty"
    connections = environment.get("DATABASE_CONNECTIONS") or str(MIN_CONNECTIONS)
    if not connections.isdecimal() or int(connections) < MIN_CONNECTIONS:
        yield (
            "DATABASE_CONNECTIONS",
            f"must be the database's max_connections, a number of at least {MIN_CONNECTIONS}",
        )


def _url_error(error: SettingsError) -> tuple[str, str]:
    return "AWS_PGSQL_PATH", str(error).removeprefix("AWS_PGSQL_PATH ").removeprefix("AWS_PGSQL_PATH: ")


def _own_database_errors(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    try:
        rds_roots(environment.get("AWS_REGION") or "us-east-1")
    except SettingsError as error:
        yield "AWS_REGION", str(error)
    for name in ("DATABASE_MULTI_AZ", "DATABASE_PROXY"):
        if (environment.get(name) or "false") not in ("true", "false"):
            yield name, "must be true or false"
    if not ZONES.fullmatch(environment.get("AVAILABILITY_ZONES") or "us-east-1a,us-east-1b"):
        yield "AVAILABILITY_ZONES", "must be the names of two zones, as in eu-west-1a,eu-west-1b"


if __name__ == "__main__":
    validate_settings(load_environment())
