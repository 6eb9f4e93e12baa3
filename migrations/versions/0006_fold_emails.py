"""Fold stored e-mails as sign-in does since this version: NFKC and case folding instead of lower case.

If several active accounts fold to the same e-mail, the account that already has that e-mail keeps it.
Otherwise the oldest account gets it. The other accounts keep their old spelling and can't sign in with it.
Their sessions and API keys still work, and an admin can set another e-mail for them. The migration logs their
ids.
"""

from unicodedata import normalize

from alembic import op
from aws_lambda_powertools import Logger
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

logger = Logger(service="restcalculator")

# Lower-case ASCII needs no folding, so the query skips the e-mails that consist of it.
CANDIDATES = text(
    "SELECT id, email FROM users WHERE deleted_at IS NULL AND email ~ '[^ -~]' ORDER BY created_at, id"
)
RENAME = text(
    """UPDATE users SET email = :folded
       WHERE id = :id AND NOT EXISTS (SELECT FROM users WHERE email = :folded AND deleted_at IS NULL)
       RETURNING id"""
)


def upgrade() -> None:
    connection = op.get_bind()
    conflicting_ids = []
    for user_id, email in connection.execute(CANDIDATES).all():
        folded = normalize("NFKC", normalize("NFKC", email).casefold())
        if folded != email and not connection.execute(RENAME, {"id": user_id, "folded": folded}).all():
            conflicting_ids.append(str(user_id))
    if conflicting_ids:
        logger.warning("another account has the folded e-mail of these users", user_ids=conflicting_ids)


def downgrade() -> None:
    raise NotImplementedError("Migrations only expand: restore a backup to go back.")
