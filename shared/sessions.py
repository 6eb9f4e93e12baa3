"""Going on with a session. Apart from accounts, since who refreshes needs no password, nor Argon2 loaded."""

from uuid import UUID, uuid4

from shared.errors import WrongCredentials
from shared.tokens import LIFETIME, TokenPair, TokenType, issue
from shared.unit_of_work import UnitOfWork


def refresh(uow: UnitOfWork, session_id: UUID, refresh_id: UUID) -> TokenPair:
    """Swap a session's refresh token for a new pair.

    Raises:
        WrongCredentials: the token was used before (then the session ends), or the session is over.
    """
    next_id = uuid4()
    row = uow.one(
        "rotate_session",
        session_id=session_id,
        refresh_id=refresh_id,
        next_id=next_id,
        lifetime=LIFETIME[TokenType.REFRESH],
    )
    if row is None:
        raise WrongCredentials("The refresh token is not valid any more; sign in again.")
    return issue(session_id, row["id"], row["role"], next_id)
