"""The history: records, the account statement, usage and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from restcalc._async.connection import AsyncConnection
from restcalc._async.rows import AsyncRows
from restcalc.calls import UNCHANGED, Call, Id, Unchanged, keyed, path
from restcalc.codec import Number, number, query_string, rfc3339
from restcalc.lists import Filter, Names
from restcalc.models import AuditEntry, LedgerEntry, Record, Refunded, Usage


class AsyncRecords(AsyncConnection):
    """The routes of records, the statement, usage and the audit log."""

    def list_records(
        self,
        *,
        search: str | None = None,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        deleted: bool | None = None,
        **filters: Filter,
    ) -> AsyncRows[Record]:
        """List the records, newest first: the caller's own, or an admin's those of all users.

        Args:
            search: text to find in the operation, the arguments or the result.
            sort: fields, with a `-` for descending: "-date,amount".
            fields: the only fields that the rows will have.
            page_size: the number of rows of each request, up to 100.
            deleted: for admins: whether to include deleted records.
            filters: fields, with an operator if not for equality: `operation="addition"`,
                `amount__in=[1, 2]`, `date__gte=datetime(2026, 11, 1, tzinfo=UTC)`, `task_id=None`.
        """
        return self._list(
            Record,
            "records",
            filters,
            sort=sort,
            fields=fields,
            page_size=page_size,
            search=search,
            deleted=deleted,
        )

    async def get_record(self, id: Id) -> Record:
        """Return a record."""
        return await self._get(Record, path("records", id))

    async def create_record(
        self,
        operation_id: Id,
        user_id: Id,
        amount: Number,
        user_balance: Number,
        operation_response: Any,
        *,
        date: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Record:
        """Create a manual record, which moves no money. Admins only."""
        body = {
            "operation_id": operation_id,
            "user_id": user_id,
            "amount": number(amount),
            "user_balance": number(user_balance),
            "operation_response": operation_response,
            "date": date and rfc3339(date),
        }
        return await self._call(Record, Call("POST", path("records"), body=body, **keyed(idempotency_key)))

    async def update_record(
        self,
        id: Id,
        *,
        operation_id: Id | Unchanged = UNCHANGED,
        user_id: Id | Unchanged = UNCHANGED,
        amount: Number | Unchanged = UNCHANGED,
        user_balance: Number | Unchanged = UNCHANGED,
        operation_response: Any = UNCHANGED,
        date: datetime | Unchanged = UNCHANGED,
    ) -> None:
        """Correct a record, which moves no money. Admins only."""
        body = {
            "operation_id": operation_id,
            "user_id": user_id,
            "amount": amount if isinstance(amount, Unchanged) else number(amount),
            "user_balance": user_balance if isinstance(user_balance, Unchanged) else number(user_balance),
            "operation_response": operation_response,
            "date": rfc3339(date) if isinstance(date, datetime) else date,
        }
        await self._send(Call("PATCH", path("records", id), body=body, repeatable=True))

    async def delete_record(self, id: Id) -> None:
        """Delete a record. Admins only."""
        await self._delete(path("records", id))

    async def refund_record(self, id: Id, reason: str, *, idempotency_key: str | None = None) -> Refunded:
        """Return what a record was charged. Admins only."""
        call = Call("POST", path("records", id, "refund"), body={"reason": reason}, **keyed(idempotency_key))
        return await self._call(Refunded, call)

    def list_ledger(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> AsyncRows[LedgerEntry]:
        """List every movement of money with the balance after it, newest first."""
        return self._list(LedgerEntry, "ledger", filters, sort=sort, fields=fields, page_size=page_size)

    def list_audit_log(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> AsyncRows[AuditEntry]:
        """List the changes by admins, newest first. Admins only."""
        return self._list(AuditEntry, "audit_log", filters, sort=sort, fields=fields, page_size=page_size)

    async def get_usage(
        self,
        *,
        from_: datetime | None = None,
        to: datetime | None = None,
        by: str = "day",
        user_id: Id | None = None,
    ) -> Usage:
        """Return how often each operation was called and what was spent on it, by period.

        Args:
            from_: the inclusive begin, a full hour. By default 30 days ago.
            to: the exclusive end, a full hour. By default now.
            by: "hour", "day" or "month", in UTC.
            user_id: for admins: one user instead of all.
        """
        parameters = {"from": from_, "to": to, "by": by, "user_id": user_id}
        query = query_string({name: value for name, value in parameters.items() if value is not None})
        return await self._get(Usage, path("usage"), query)
