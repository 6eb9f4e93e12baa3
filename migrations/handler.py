"""The Lambda that `make deploy` calls, and `make build-local-db` too: schema to head, then the
default rows. Safe to run again: it makes only what is missing. And as it alone of what `make` calls
reaches the stack's database, it audits, too.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from shared.auth.passwords import hash_password
from shared.billing import audit
from shared.billing.charges import OPENING_CREDIT
from shared.database.unit_of_work import UnitOfWork
from shared.errors import ServiceUnavailable
from shared.ids import uuid7
from shared.settings import SettingsError, settings

PRICED = ("addition", "substraction", "multiplication", "division", "square_root", "random_string")
"""What is priced at set-up. An operation that is added later costs what an admin says."""
DEFAULT_COST = Decimal(5)
DEFAULT_ADMIN = "defaultadmin@admin.as"
DEFAULT_ADMIN_CREDIT = Decimal(1000)
DEFAULT_CLIENT = "defaultclient@client.as"
MIGRATIONS = Path(__file__).parent
LOCK_NOT_AVAILABLE = "55P03"
"""What Postgres says when the lock_timeout is over (PostgreSQL manual, appendix A)."""
REFUSED = {
    "3D000": "Create the database first (CREATE DATABASE).",
    "28000": "Check the user and the server's pg_hba.conf.",
    "28P01": "Check the user and the password.",
}
"""Codes with which Postgres refuses a connection (same appendix), and the next step for each."""
AUDIT_TIMEOUT = 280.0
"""Seconds: Postgres gives up before the function must."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Migrate and seed, or for `{"audit": true}` do nothing but that.

    Returns:
        `{"revision": the database's, "created": [names of the default rows that were missing]}`, or
        `{"off": [a line for each user whose money is off]}`.

    Raises:
        SettingsError: in production with a published default password, or there is no such database or
            user; nothing was done then.
        ServiceUnavailable: a table was in use, so nothing was migrated; or the audit can't be made now.
    """
    if event.get("audit"):
        return {"off": audit.findings(AUDIT_TIMEOUT)}
    client_password, admin_password = settings().passwords()
    revision = _migrate()
    with UnitOfWork() as uow:
        uow.begin()
        uow.all("lock_set_up")
        created = [name for name in PRICED if _price(uow, name)]
        for email, password, role, credit in (
            (DEFAULT_ADMIN, admin_password, "admin", DEFAULT_ADMIN_CREDIT),
            (DEFAULT_CLIENT, client_password, "client", OPENING_CREDIT["client"]),
        ):
            if uow.one("known_email", email=email) is None:
                _account(uow, email, password, role, credit)
                created.append(email)
        uow.commit()
    return {"revision": revision, "created": created}


def _migrate() -> str:
    """Bring the schema to this code's head, or leave it where it is further; its revision then."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        said: Any = error.orig.args[0] if error.orig and error.orig.args else {}
        code = said.get("C") if isinstance(said, dict) else None
        if code in REFUSED:
            raise SettingsError(f"AWS_PGSQL_PATH: {said['M']}. {REFUSED[code]}") from None
        if code != LOCK_NOT_AVAILABLE:
            raise
        raise ServiceUnavailable(
            "A table that is to change was in use for too long, so nothing was migrated: try again, when"
            " no batch is running."
        ) from None
    revision: str = config.attributes["revision"]
    return revision


def _price(uow: UnitOfWork, operation: str) -> bool:
    """Price an operation unless it ever had a price: one that an admin took away stays away."""
    if uow.one("known_operation", type=operation) is not None:
        return False
    uow.one("create_operation", id=uuid7(), type=operation, cost=DEFAULT_COST)
    return True


def _account(uow: UnitOfWork, email: str, password: str, role: str, credit: Decimal) -> None:
    uow.one(
        "create_user",
        id=uuid7(),
        entry_id=uuid7(),
        email=email,
        password_hash=hash_password(password),
        role=role,
        balance=credit,
    )
