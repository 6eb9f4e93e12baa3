"""Create API keys, with which programs sign in. The database stores only their hashes."""

from datetime import UTC, datetime
from uuid import UUID

from shared.auth import caller as auth
from shared.database import UnitOfWork
from shared.errors import Conflict, Forbidden, InvalidInput
from shared.ids import uuid7
from shared.schemas.requests import NewApiKey


def create(presented: auth.Credentials, user_id: UUID, wanted: NewApiKey) -> tuple[UUID, str]:
    """Create an API key for the signed-in user.

    Args:
        presented: the credentials of the request. They are looked up again while the user's row is locked,
            because a password change or a deletion may have ended them meanwhile.
        user_id: the user of these credentials.

    Returns:
        The id, and the key as JSON with its secret.

    Raises:
        InvalidInput: `expires_at` is in the past.
        NotSignedIn: the credentials are no longer valid.
        Forbidden: the scope `admin`, and the user is not an admin.
        Conflict: the user has 100 keys that are not revoked.
    """
    if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
        raise InvalidInput.at("#/expires_at", "Input should be in the future")
    limit = wanted.spend_limit
    key_id = uuid7()
    key, key_hash = auth.new_api_key()
    with UnitOfWork() as uow:
        uow.one("lock_user", id=user_id)
        caller = auth.look_up(presented, uow)
        if "admin" in wanted.scopes and not caller.is_admin:
            raise Forbidden("Only admins may choose the scope 'admin'. Choose other scopes.")
        row = uow.one(
            "create_api_key",
            id=key_id,
            user_id=user_id,
            name=wanted.name,
            key_hash=key_hash,
            key=key,
            scopes=wanted.scopes,
            expires_at=wanted.expires_at,
            limit_amount=limit and limit.amount,
            limit_per=limit and limit.per,
            admin_id=caller.admin_id,
            audit_id=uuid7(),
        )
        if row is None:
            raise Conflict("You have 100 API keys. Revoke one that you no longer use and try again.")
        uow.commit()
    return key_id, row["body"]
