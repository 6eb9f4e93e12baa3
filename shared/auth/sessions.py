"""Refresh of a session. Separate from accounts, so that a refresh does not import Argon2."""

from uuid import UUID, uuid4

from shared import database
from shared.auth.tokens import LIFETIME, TokenPair, TokenType, issue
from shared.errors import WrongCredentials


def refresh(session_id: UUID, refresh_id: UUID) -> TokenPair:
    """Exchange a session's refresh token for a new pair of tokens.

    If the token was exchanged less than 10 seconds ago, return the refresh token that replaced it.

    Raises:
        WrongCredentials: the session has ended, or the token was used before, which ends the session.
    """
    row = database.one(
        "rotate_session",
        session_id=session_id,
        refresh_id=refresh_id,
        next_id=uuid4(),
        lifetime=LIFETIME[TokenType.REFRESH],
    )
    if row is None:
        raise WrongCredentials("The refresh token is no longer valid. Sign in again.")
    return issue(session_id, row["id"], row["role"], row["refresh_id"])
