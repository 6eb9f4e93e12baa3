"""Sessions and accounts: the routes that sign in, and the caller's own account."""

from __future__ import annotations

from restcalc._async.connection import AsyncConnection
from restcalc._async.rows import AsyncRows
from restcalc.calls import Call, Id, SessionTokens, parse, path
from restcalc.codec import Number, number
from restcalc.lists import Filter, Names
from restcalc.models import CsrfToken, Session, SignedIn, User
from restcalc.problems import not_signed_in


class AsyncSignIn(AsyncConnection):
    """The routes of sessions and of the caller's own account."""

    async def login(self, email: str, password: str) -> SignedIn:
        """Open a session, which the client refreshes by itself.

        An unknown e-mail with a password that complies with the policy creates the account.
        """
        body = {"email": email, "password": password}
        response = await self._send(Call("POST", "/login", body=body, bearer="", repeatable=True))
        signed_in = parse(response, SignedIn)
        self._session = SessionTokens.of(response)
        return signed_in

    async def logout(self) -> None:
        """End the session, if one is open."""
        if self._session:
            # The refresh token is valid for longer than the access token, and ends the session too.
            await self._send(Call("POST", "/logout", bearer=self._session.refresh, repeatable=True))
            self._session = None

    async def refresh_tokens(self) -> SignedIn:
        """Exchange the tokens of the session for new ones, as the client does when they expire."""
        async with self._refreshing:
            if self._session is None:
                raise not_signed_in("No session is open.")
            return parse(await self._exchange(self._session), SignedIn)

    async def get_csrf_token(self) -> str:
        """Return the CSRF token of the session. This client needs none, because it sends bearer tokens."""
        return (await self._call(CsrfToken, Call("GET", "/refresh", repeatable=True))).csrf_token

    async def create_admin(self, email: str, password: str, admin_password: str) -> User:
        """Create an admin. `admin_password` is the deployment's setting ADMIN_PASSWORD."""
        body = {"email": email, "password": password, "admin_password": admin_password}
        return await self._call(User, Call("POST", "/admin", body=body, bearer=""))

    def list_sessions(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> AsyncRows[Session]:
        """List the devices on which the caller is signed in."""
        return self._list(Session, "sessions", filters, sort=sort, fields=fields, page_size=page_size)

    async def end_session(self, id: Id) -> None:
        """Sign out one device. Needs a session."""
        await self._delete(path("sessions", id))

    async def get_current_user(self) -> User:
        """Return the caller's account and balance."""
        return await self._get(User, path("users", "me"))

    async def update_current_user(self, low_balance_threshold: Number | None) -> None:
        """Set the threshold below which a movement of money emits `balance.low`. None removes it."""
        threshold = None if low_balance_threshold is None else number(low_balance_threshold)
        body = {"low_balance_threshold": threshold}
        await self._send(Call("PATCH", path("users", "me"), body=body, repeatable=True))

    async def change_password(self, current_password: str, new_password: str) -> None:
        """Change the caller's password, and end the caller's other sessions. Needs a session."""
        body = {"current_password": current_password, "new_password": new_password}
        await self._send(Call("POST", path("users", "me", "password"), body=body))
