"""The Lambda function that migrates the schema, inserts missing default rows, and counts past usage.

`make deploy` and `make build-local-db` invoke it. The stack's database is private, so this function also runs
the audit for `make audit`.
"""

from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

from alembic import command
from alembic.config import Config
from aws_lambda_powertools import Logger
from sqlalchemy.exc import DBAPIError

from shared import accounts, database
from shared.billing import audit, usage_backfill
from shared.billing.charges import OPENING_CREDIT
from shared.database import UnitOfWork
from shared.errors import ServiceUnavailable, SettingsError
from shared.ids import uuid7
from shared.settings import settings

PRICED = ("addition", "substraction", "multiplication", "division", "square_root", "random_string")
"""Operations that get DEFAULT_COST at set-up. An admin sets the price of operations added later."""
DEFAULT_COST = Decimal(5)
"""Credits."""
DEFAULT_ADMIN = "defaultadmin@admin.as"
DEFAULT_ADMIN_CREDIT = Decimal(1000)
"""Credits."""
DEFAULT_CLIENT = "defaultclient@client.as"
MIGRATIONS = Path(__file__).parent
LOCK_NOT_ACQUIRED = ("55P03", "40P01")
"""The SQLSTATE of an exceeded lock_timeout and of a deadlock (PostgreSQL manual, appendix A)."""
NEXT_STEPS = {
    "3D000": "Create the database first (CREATE DATABASE).",
    "28000": "Check the user and the server's pg_hba.conf.",
    "28P01": "Check the user and the password.",
}
"""The next step for the user, by the SQLSTATE of a rejected connection (same appendix)."""
AUDIT_SECONDS = 100.0
"""Seconds after which the function begins no further step of the audit. The next call continues."""
AUDIT_STATEMENT_TIMEOUT = 60.0
"""Seconds until Postgres cancels a statement of the audit. The function takes at most 280 s of its 300:
AUDIT_SECONDS, one more step, 60 s for the check of suspects, and one more statement of it."""
BACKFILL_SECONDS = 200.0
"""Seconds after its start until the function leaves the rest of the backfill to the hourly cleanup."""

logger = Logger(service="restcalculator")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Migrate and insert the default rows, or only run or continue a full audit for `{"audit": true}`.

    Returns:
        `{"revision": the schema's, "created": [names of the inserted rows]}`, or
        `{"finished": whether no further call is needed, "progress": a sentence, "findings": [a line for each
        user whose balance or usage does not match the ledger], "usage_counted": whether usage was compared}`.

    Raises:
        SettingsError: a password is a published default in production, or Postgres rejected the
            connection. Nothing was changed.
        ServiceUnavailable: a table was in use, so nothing was migrated; or the audit failed to run.
    """
    began = monotonic()
    if event.get("audit"):
        with database.statement_timeout(AUDIT_STATEMENT_TIMEOUT):
            usage_counted = audit.usage_is_counted()
            progress, findings = audit.continue_full_audit(AUDIT_SECONDS)
        return {
            "finished": progress.is_finished,
            "progress": str(progress),
            "findings": findings,
            "usage_counted": usage_counted,
        }
    client_password, admin_password = settings().passwords()
    revision = _migrate()
    with UnitOfWork() as uow:
        uow.run("lock_set_up")
        created = [name for name in PRICED if _price(uow, name)]
        for email, password, role, credit in (
            (DEFAULT_ADMIN, admin_password, "admin", DEFAULT_ADMIN_CREDIT),
            (DEFAULT_CLIENT, client_password, "client", OPENING_CREDIT["client"]),
        ):
            if uow.one("known_email", email=email) is None:
                accounts.create_user(email, password, role, credit, uow)
                created.append(email)
        uow.commit()
    _count_past_usage(began + BACKFILL_SECONDS - monotonic())
    return {"revision": revision, "created": created}


def _migrate() -> str:
    """Migrate the schema to this code's head, unless it is newer, and return its revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        fields: Any = error.orig.args[0] if error.orig and error.orig.args else {}
        code = fields.get("C") if isinstance(fields, dict) else None
        if code in NEXT_STEPS:
            raise SettingsError(f"AWS_PGSQL_PATH: {fields['M']}. {NEXT_STEPS[code]}") from None
        if code not in LOCK_NOT_ACQUIRED:
            raise
        raise ServiceUnavailable(
            "A table was in use for too long, so nothing was migrated. Try again when no batch is running."
        ) from None
    revision: str = config.attributes["revision"]
    return revision


def _count_past_usage(seconds: float) -> None:
    """Begin or continue the backfill. It does not fail a deploy, because the hourly cleanup continues it."""
    try:
        usage_counted = usage_backfill.advance(seconds)
    except ServiceUnavailable:
        usage_counted = False
    if not usage_counted:
        logger.warning("usage from before the upgrade is not all counted: the hourly cleanup continues")


def _price(uow: UnitOfWork, operation: str) -> bool:
    """Give an operation DEFAULT_COST unless it has or had a price, and return whether this inserted a row.

    So a price that an admin deleted stays deleted.
    """
    if uow.one("known_operation", type=operation) is not None:
        return False
    uow.one("create_operation", id=uuid7(), type=operation, cost=DEFAULT_COST, admin_id=None, audit_id=None)
    return True
