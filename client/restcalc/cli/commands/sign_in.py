"""login, logout and whoami."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from restcalc.cli.command import command
from restcalc.cli.credentials import KEYRING
from restcalc.cli.failures import Failure
from restcalc.cli.invocation import Invocation
from restcalc.cli.limits import SpendLimitOption, spend_limit
from restcalc.cli.profiles import Profile
from restcalc.enums import Scope

if TYPE_CHECKING:
    from restcalc.models import ApiKey

SCOPES = (Scope.READ, Scope.COMPUTE, Scope.BATCH)


def login(
    run: Invocation,
    email: Annotated[
        str | None,
        typer.Option(
            "--email", metavar="EMAIL", envvar="RESTCALC_EMAIL", help="Your e-mail. Asked for by default."
        ),
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Let the key do what only admins may do.")] = False,
    spend_limit_text: SpendLimitOption = None,
) -> None:
    """Sign in, and store an API key for this machine.

    Asks for your e-mail and password, creates an API key that is named after this machine, and stores it in
    the keyring of the operating system or in a file that only you can read. The password is not stored. An
    e-mail that has no account yet gets one.

    Without a terminal, set RESTCALC_EMAIL and RESTCALC_PASSWORD; or set only RESTCALC_API_KEY and skip
    `login`.
    """
    from restcalc import RestcalcError

    limit = spend_limit(spend_limit_text)
    with run.session(email) as client:
        user = client.get_current_user()
        scopes = (*SCOPES, Scope.ADMIN) if admin else SCOPES
        key = client.create_api_key(_key_name(run.profile_name), scopes=scopes, spend_limit=limit)
        try:
            store = run.credentials.store(str(key.id), key.key)
            previous = run.profiles.put(Profile(run.profile_name, run.url, user.email, str(key.id), store))
        except BaseException:
            client.revoke_api_key(key.id)
            raise
    if previous and previous.key_id:
        # It is revoked already, or its service or the keyring can't be reached.
        with suppress(RestcalcError, Failure):
            _revoke(run, previous)
        run.credentials.forget(previous)
    where = "the keyring" if store == KEYRING else str(run.home.config / "credentials.json")
    run.out.done(f"Signed in to {run.url} as {user.email} ({user.role}). The API key is in {where}.", user)


def logout(
    run: Invocation,
    force: Annotated[
        bool, typer.Option("--force", help="Forget the key even if it can't be revoked.")
    ] = False,
) -> None:
    """Revoke the API key of this machine, and forget it."""
    from restcalc import NotFound, NotSignedIn, RestcalcError

    profile = run.profiles.get(run.profile_name)
    revoked_already = (NotSignedIn, NotFound)
    with suppress(*((RestcalcError, Failure) if force else revoked_already)):
        _revoke(run, profile)
    run.profiles.remove(profile)
    run.credentials.forget(profile)
    run.out.done(f"Signed out of {profile.url}.")


def whoami(run: Invocation) -> None:
    """Show who you are: the profile, the service, your account and the API key."""
    user = run.client.get_current_user()
    key = _own_key(run)
    facts = {
        "profile": run.profile_name,
        "url": run.url,
        "user": user.email,
        "role": user.role,
        "balance": user.balance,
        "key": _describe(key) if key else "from RESTCALC_API_KEY",
    }
    answer = {"profile": run.profile_name, "url": run.url, "user": user, "api_key": key}
    run.out.facts(facts, answer)


def register(app: typer.Typer) -> None:
    examples = ("restcalc login", "restcalc login --url https://api.example.com --profile production")
    command(app, "login", *examples)(login)
    command(app, "logout", "restcalc logout", "restcalc logout --profile production")(logout)
    command(app, "whoami", "restcalc whoami")(whoami)


def _key_name(profile: str) -> str:
    return f"restcalc on {socket.gethostname()} ({profile})"[:100]


def _revoke(run: Invocation, profile: Profile) -> None:
    """Revoke the key of a profile with the key itself."""
    from restcalc import Client

    if key := run.credentials.load(profile):
        with Client(profile.url, api_key=key) as client:
            client.revoke_api_key(profile.key_id)


def _own_key(run: Invocation) -> ApiKey | None:
    import os

    if os.environ.get("RESTCALC_API_KEY"):
        return None
    return run.client.get_api_key(run.profile.key_id)


def _describe(key: ApiKey) -> str:
    text = f"{key.name} ({', '.join(key.scopes)})"
    return f"{text}, until {key.expires_at:%Y-%m-%d}" if key.expires_at else text
