"""Changes that only an admin makes to a user and that need no password hash."""

from uuid import UUID

from shared.database import UnitOfWork
from shared.errors import NotFound


def lock(uow: UnitOfWork, user_id: UUID) -> None:
    """Lock a living user's row until the open transaction ends.

    Raises:
        NotFound: the user does not exist or was deleted.
    """
    if uow.one("lock_user", id=user_id) is None:
        raise NotFound("There is no such user.")


def delete(user_id: UUID) -> None:
    """Soft-delete a user: free the e-mail, end the sessions and revoke the API keys.

    Raises:
        NotFound: the user does not exist or was deleted.
    """
    with UnitOfWork() as uow:
        lock(uow, user_id)
        uow.one("delete_user", id=user_id)
        uow.commit()
