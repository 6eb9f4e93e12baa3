"""Users, their credit and API keys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from restcalc._async.connection import AsyncConnection
from restcalc._async.rows import AsyncRows
from restcalc.calls import UNCHANGED, Call, Id, Unchanged, keyed, path
from restcalc.codec import Number, number, rfc3339
from restcalc.lists import Filter, Names
from restcalc.models import ApiKey, ApiKeyCreated, Granted, SpendLimit, User


class AsyncUsers(AsyncConnection):
    """The routes of users and API keys."""

    def list_users(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        deleted: bool | None = None,
        **filters: Filter,
    ) -> AsyncRows[User]:
        """List the users, newest first. Admins only."""
        return self._list(
            User, "users", filters, sort=sort, fields=fields, page_size=page_size, deleted=deleted
        )

    async def get_user(self, id: Id) -> User:
        """Return a user. Admins only."""
        return await self._get(User, path("users", id))

    async def create_user(
        self,
        email: str,
        password: str,
        *,
        role: str = "client",
        balance: Number | None = None,
        status: str = "active",
        idempotency_key: str | None = None,
    ) -> User:
        """Create a user. Without a balance the user gets the opening credit of the role. Admins only."""
        body = {
            "email": email,
            "password": password,
            "role": role,
            "balance": None if balance is None else number(balance),
            "status": status,
        }
        return await self._call(User, Call("POST", path("users"), body=body, **keyed(idempotency_key)))

    async def update_user(
        self,
        id: Id,
        *,
        email: str | Unchanged = UNCHANGED,
        password: str | Unchanged = UNCHANGED,
        role: str | Unchanged = UNCHANGED,
        balance: Number | Unchanged = UNCHANGED,
        status: str | Unchanged = UNCHANGED,
    ) -> None:
        """Change a user. Admins only.

        A new balance is not sent again after a lost response: the user may have spent some of it by then.
        """
        body = {
            "email": email,
            "password": password,
            "role": role,
            "balance": balance if isinstance(balance, Unchanged) else number(balance),
            "status": status,
        }
        await self._send(Call("PATCH", path("users", id), body=body, repeatable=balance is UNCHANGED))

    async def delete_user(self, id: Id) -> None:
        """Delete a user, and end the user's sessions. Admins only."""
        await self._delete(path("users", id))

    async def grant_credit(
        self, id: Id, amount: Number, reason: str, *, idempotency_key: str | None = None
    ) -> Granted:
        """Grant a user credit, or remove it with a negative amount. Admins only."""
        body = {"amount": number(amount), "reason": reason}
        call = Call("POST", path("users", id, "credits"), body=body, **keyed(idempotency_key))
        return await self._call(Granted, call)

    def list_api_keys(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> AsyncRows[ApiKey]:
        """List the caller's API keys."""
        return self._list(ApiKey, "api_keys", filters, sort=sort, fields=fields, page_size=page_size)

    async def get_api_key(self, id: Id) -> ApiKey:
        """Return an API key of the caller, without its secret."""
        return await self._get(ApiKey, path("api_keys", id))

    async def create_api_key(
        self,
        name: str,
        *,
        scopes: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        spend_limit: SpendLimit | None = None,
    ) -> ApiKeyCreated:
        """Create an API key for a program. Needs a session.

        Args:
            scopes: of "read", "compute", "batch" and "admin"; by default the first three.
            spend_limit: what the key may spend: `SpendLimit(Decimal(100), "month")`.
        """
        body = {
            "name": name,
            "scopes": UNCHANGED if scopes is None else list(scopes),
            "expires_at": expires_at and rfc3339(expires_at),
            "spend_limit": spend_limit,
        }
        return await self._call(ApiKeyCreated, Call("POST", path("api_keys"), body=body))

    async def revoke_api_key(self, id: Id) -> None:
        """Revoke an API key."""
        await self._delete(path("api_keys", id))
