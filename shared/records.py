"""Create and correct manual records, for admins. They never change a balance or the ledger."""

from typing import Any
from uuid import UUID

from shared import database, exact_json
from shared.database import Row, Statements
from shared.errors import InvalidInput, NotFound
from shared.ids import uuid7


def create(record: dict[str, Any], admin_id: UUID, statements: Statements = database) -> tuple[UUID, str]:
    """Create a manual record.

    Args:
        statements: the caller's unit of work, if the record is created in a transaction.

    Returns:
        The id, and the record as JSON.

    Raises:
        InvalidInput: its user or operation does not exist.
    """
    record_id = uuid7()
    row = statements.only("create_record", id=record_id, **_as_parameters(record, admin_id))
    _check_known(row)
    return record_id, row["body"]


def update(record_id: UUID, changes: dict[str, Any], admin_id: UUID) -> None:
    """Correct a record. Raises: NotFound; InvalidInput as `create`."""
    row = database.only("update_record", id=record_id, **_as_parameters(changes, admin_id))
    _check_known(row)
    if row["id"] is None:
        raise NotFound("There is no such record.")


def _as_parameters(fields: dict[str, Any], admin_id: UUID) -> dict[str, Any]:
    names = ("operation_id", "user_id", "amount", "user_balance", "date")
    response = exact_json.dumps(fields["operation_response"]) if "operation_response" in fields else None
    return {
        **{name: fields.get(name) for name in names},
        "operation_response": response,
        "admin_id": admin_id,
        "audit_id": uuid7(),
    }


def _check_known(row: Row) -> None:
    for name in ("user", "operation"):
        if not row[f"{name}_known"]:
            raise InvalidInput.at(f"#/{name}_id", f"There is no such {name}.")
