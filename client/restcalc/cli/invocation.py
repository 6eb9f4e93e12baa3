"""One run of a command: its profile, its connection to the service, and its output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from restcalc.cli.credentials import Credentials
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure, not_signed_in
from restcalc.cli.home import Home
from restcalc.cli.journal import Entry, Journal
from restcalc.cli.output import Output
from restcalc.cli.profiles import Profile, Profiles
from restcalc.cli.prompts import ask
from restcalc.cli.times import local
from restcalc.settings import service_url, valid_api_key

if TYPE_CHECKING:
    from restcalc import AsyncClient, Client
    from restcalc.base_models import ReplayableModel


class PendingCall:
    """A call that is sent with the same idempotency key until its answer is printed."""

    def __init__(self, entry: Entry, out: Output, *, has_new_call: bool) -> None:
        self.key = entry.key
        self._entry, self._out, self._has_new_call = entry, out, has_new_call

    def note_replay(self, answer: ReplayableModel) -> None:
        """Print a note if an interrupted command has had this effect, so that this one did nothing."""
        if self._entry.is_continued and answer.replayed:
            time = local(datetime.fromtimestamp(self._entry.facts["created"]))
            advice = " Use --new-call to send another call." if self._has_new_call else ""
            self._out.note(
                f"This answers your interrupted command of {time}. Nothing was done twice.{advice}"
            )


class Invocation:
    """What a command knows about its user.

    Args:
        profile: the name of the profile. By default the current one.
        url: the URL of the service. By default that of the profile.
    """

    def __init__(self, *, as_json: bool, profile: str | None, url: str | None) -> None:
        self.home = Home.from_environment()
        self.profiles = Profiles(self.home.config)
        self.credentials = Credentials(self.home.config)
        self.out = Output(as_json=as_json)
        self.profile_name = profile or self.profiles.current
        self._given_url = url

    @cached_property
    def profile(self) -> Profile:
        """The profile, without members if the user has not signed in with it."""
        return self.profiles.find(self.profile_name) or Profile(self.profile_name)

    @cached_property
    def url(self) -> str:
        try:
            return service_url(self._given_url or self.profile.url)
        except ValueError as error:
            raise Failure(str(error), ExitCode.USAGE) from None

    @cached_property
    def api_key(self) -> str:
        """The API key. Raises: Failure if there is none for this URL."""
        if key := os.environ.get("RESTCALC_API_KEY"):
            try:
                return valid_api_key(key)
            except ValueError as error:
                raise Failure(f"RESTCALC_API_KEY: {error}", ExitCode.USAGE) from None
        # A key is sent only to the service that created it.
        key = self.credentials.load(self.profile) if self.profile.url == self.url else None
        if not key:
            raise not_signed_in(self.url)
        return key

    @cached_property
    def client(self) -> Client:
        """The client that calls with the API key."""
        from restcalc import Client

        return Client(self.url, api_key=self.api_key)

    def async_client(self) -> AsyncClient:
        """Return a client for files, which waits for longer until a service answers again."""
        from restcalc import AsyncClient

        return AsyncClient(self.url, api_key=self.api_key, retries=10)

    @contextmanager
    def session(self, email: str | None = None) -> Iterator[Client]:
        """Sign in by password, yield the client, and sign out. `password` is kept for the command."""
        from restcalc import Client, NotFound, RestcalcError

        email = (
            email or os.environ.get("RESTCALC_EMAIL") or self.profile.email or ask("E-mail", "RESTCALC_EMAIL")
        )
        question = f"Password of {email}"
        self.password = os.environ.get("RESTCALC_PASSWORD") or ask(question, "RESTCALC_PASSWORD", secret=True)
        with Client(self.url, api_key="") as client:
            try:
                client.login(email, self.password)
            except NotFound:
                raise Failure(f"{self.url} has no route to sign in. Check the URL of the service.") from None
            try:
                yield client
            finally:
                with suppress(RestcalcError):  # a session that could not be ended expires
                    client.logout()

    @cached_property
    def account(self) -> str:
        """Whose calls these are: the account of the profile, or an API key."""
        if os.environ.get("RESTCALC_API_KEY") or not self.profile.email:
            from hashlib import sha256

            return f"{self.url} {sha256(self.api_key.encode()).hexdigest()}"
        return f"{self.url} {self.profile.email}"

    @cached_property
    def calls(self) -> Journal:
        """The calls that are not finished."""
        return Journal(self.home.state / "calls")

    @contextmanager
    def once(self, *call: object, new_call: bool | None = None) -> Iterator[PendingCall]:
        """Yield a call, which the block sends with its key. See `Journal.once`.

        Args:
            new_call: whether to send another call if the same one has not finished. None for a command
                without this option.
        """
        with self.calls.once(self.account, *call) as entry:
            # A call of --new-call that was killed is continued too: it may have been charged.
            if new_call and not entry.facts.get("new_call"):
                entry.renew(new_call=True)
            try:
                yield PendingCall(entry, self.out, has_new_call=new_call is not None)
            except KeyboardInterrupt:
                self.out.note("Run the same command again to get the answer. It acts only once.")
                raise

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()
