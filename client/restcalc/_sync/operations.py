"""Calculations, and the prices of the operations."""

from __future__ import annotations

from collections.abc import Iterable

from restcalc._sync.connection import Connection
from restcalc._sync.rows import Rows
from restcalc.calls import Call, Id, keyed, path
from restcalc.codec import Number, number
from restcalc.lists import Filter, Names
from restcalc.models import Charged, Operation


class Operations(Connection):
    """The routes of calculations and prices."""

    def compute(self, type: str, *arguments: Number, idempotency_key: str | None = None) -> Charged:
        """Calculate, and pay for it: `compute("addition", 1, "0.2")`.

        Args:
            type: the name of the operation, such as "addition".
            arguments: numbers, or texts that contain one. All digits of a Decimal and of a text are sent.
            idempotency_key: a second call with the same key returns the first result and charges nothing.
                By default a new key for each call.
        """
        return self.process_operation(type, arguments, idempotency_key=idempotency_key)

    def process_operation(
        self, type: str, arguments: Iterable[Number] = (), *, idempotency_key: str | None = None
    ) -> Charged:
        """Calculate, and pay for it. `compute` does the same."""
        body = {"type": type, "arguments": [number(argument) for argument in arguments]}
        return self._call(
            Charged, Call("POST", path("process_operation"), body=body, **keyed(idempotency_key))
        )

    def list_operations(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        deleted: bool | None = None,
        **filters: Filter,
    ) -> Rows[Operation]:
        """List the operations and their prices. `deleted` is for admins."""
        return self._list(
            Operation, "operations", filters, sort=sort, fields=fields, page_size=page_size, deleted=deleted
        )

    def get_operation(self, id: Id) -> Operation:
        """Return an operation and its price."""
        return self._get(Operation, path("operations", id))

    def create_operation(self, type: str, cost: Number, *, idempotency_key: str | None = None) -> Operation:
        """Set the price of an operation that has none. Admins only."""
        body = {"type": type, "cost": number(cost)}
        return self._call(Operation, Call("POST", path("operations"), body=body, **keyed(idempotency_key)))

    def update_operation(self, id: Id, *, cost: Number) -> Operation:
        """Change the price of an operation. Admins only."""
        body = {"cost": number(cost)}
        return self._call(Operation, Call("PATCH", path("operations", id), body=body, repeatable=True))

    def delete_operation(self, id: Id) -> None:
        """Delete the price of an operation, which can't be called without one. Admins only."""
        self._delete(path("operations", id))
