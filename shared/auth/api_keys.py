"""Create API keys, with which programs sign in. The database stores only their hashes."""

from uuid import UUID

from shared.auth import caller as auth
from shared.database import UnitOfWork
from shared.errors import Conflict
from shared.ids import uuid7


def create(presented: auth.Credentials, user_id: UUID, name: str) -> tuple[UUID, str]:
    """Create an API key for the signed-in user.

    Args:
        presented: the credentials of the request. They are looked up again while the user's row is locked,
            because a password change or a deletion may have ended them meanwhile.
        user_id: the user of these credentials.

    Returns:
        The id, and the key as JSON with its secret.

    Raises:
        NotSignedIn: the credentials are no longer valid.
        Conflict: the user has 100 keys that are not revoked.
    """
    key_id = uuid7()
    key, key_hash = auth.new_api_key()
    with UnitOfWork() as uow:
        uow.one("lock_user", id=user_id)
        auth.look_up(presented, uow)
        row = uow.one("create_api_key", id=key_id, user_id=user_id, name=name, key_hash=key_hash, key=key)
        if row is None:
            raise Conflict("You have 100 API keys. Revoke one that you no longer use and try again.")
        uow.commit()
    return key_id, row["body"]
