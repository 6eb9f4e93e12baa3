"""Lock and delete users. Separate from accounts, so that its callers do not import Argon2."""

from uuid import UUID

from shared.database import UnitOfWork
from shared.errors import NotFound
from shared.ids import uuid7


def lock(uow: UnitOfWork, user_id: UUID) -> None:
    """Lock the row of a user until the transaction ends.

    Raises:
        NotFound: the user does not exist or was deleted.
    """
    if uow.one("lock_user", id=user_id) is None:
        raise NotFound("There is no such user.")


def delete(user_id: UUID, admin_id: UUID) -> None:
    """Soft-delete a user: free the e-mail, end the sessions, revoke the API keys and delete the webhooks.

    Raises:
        NotFound: the user does not exist or was deleted.
    """
    with UnitOfWork() as uow:
        lock(uow, user_id)
        uow.one("delete_user", id=user_id, admin_id=admin_id, audit_id=uuid7())
        uow.commit()
