"""Accounts: signing in and up, admins, and what admins do to users."""

import hmac
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from shared import passwords, throttle
from shared.billing import OPENING_CREDIT
from shared.database import Row
from shared.errors import Conflict, NotFound, WrongCredentials
from shared.ids import uuid7
from shared.settings import settings
from shared.tokens import LIFETIME, TokenPair, TokenType, issue
from shared.unit_of_work import UnitOfWork

# The same words whether or not the account exists: neither answer tells a guesser which.
WRONG = f"The e-mail or the password is wrong. To sign up: {passwords.POLICY}"


def sign_in(uow: UnitOfWork, email: str, password: str, address: str) -> TokenPair:
    """Sign in; an unknown e-mail with a compliant password becomes a client's account.

    Args:
        address: where the request comes from, for the throttle.

    Raises:
        WrongCredentials, TooManyRequests.
    """
    buckets = throttle.sign_in_buckets(email, address)
    account = _attempt(uow, email, buckets)
    if account["id"] is None and passwords.complies(password):
        try:
            return _sign_up(uow, email, password, buckets)
        except Conflict:
            account = uow.only("account", email=email)  # the same person's other click was first
    if not passwords.verify(password, account["password_hash"]):
        raise WrongCredentials(WRONG)
    rehashed = passwords.hash_password(password) if passwords.outdated(account["password_hash"]) else None
    session_id = uuid4()
    pair = issue(session_id, account["id"], account["role"])
    opened = uow.one(
        "open_session",
        user_id=account["id"],
        verified_hash=account["password_hash"],
        password_hash=rehashed,
        **_session(session_id, pair),
        **_names(buckets),
    )
    if opened is None:
        raise WrongCredentials(WRONG)
    return pair


def create_admin(
    uow: UnitOfWork, email: str, password: str, admin_password: str, address: str
) -> tuple[UUID, str]:
    """A new admin, for whoever knows the `ADMIN_PASSWORD` setting.

    Returns:
        The id, and the user as JSON.

    Raises:
        WrongCredentials, TooManyRequests, Conflict (the e-mail is taken).
    """
    _attempt(uow, email, throttle.sign_in_buckets(email, address))
    expected = settings().password_of_admins()
    if not hmac.compare_digest(admin_password.encode(), expected.encode()):
        raise WrongCredentials("The admin password is wrong.")
    return create_user(uow, email, password, "admin", None)


def create_user(
    uow: UnitOfWork, email: str, password: str, role: str, balance: Decimal | None
) -> tuple[UUID, str]:
    """A new user with an opening credit, the role's when None.

    Returns:
        The id, and the user as JSON.

    Raises:
        Conflict: the e-mail is taken.
    """
    user_id = uuid7()
    row = uow.only(
        "create_user",
        id=user_id,
        entry_id=uuid7(),
        email=email,
        password_hash=passwords.hash_password(password),
        role=role,
        balance=OPENING_CREDIT[role] if balance is None else balance,
    )
    return user_id, row["body"]


def update_user(uow: UnitOfWork, admin_id: UUID, user_id: UUID, changes: dict[str, Any]) -> None:
    """Change a user's email, password, role or balance.

    Raises:
        NotFound, Conflict (the e-mail is taken).
    """
    password = changes.get("password")
    row = uow.one(
        "update_user",
        id=user_id,
        admin_id=admin_id,
        entry_id=uuid7(),
        email=changes.get("email"),
        password_hash=passwords.hash_password(password) if password else None,
        role=changes.get("role"),
        balance=changes.get("balance"),
    )
    if row is None:
        raise NotFound("There is no such user.")


def _attempt(uow: UnitOfWork, email: str, buckets: dict[str, Any]) -> Row:
    account = uow.only("sign_in_attempt", email=email, **buckets)
    throttle.check(account["email_wait"], account["address_wait"])
    return account


def _sign_up(uow: UnitOfWork, email: str, password: str, buckets: dict[str, Any]) -> TokenPair:
    session_id, user_id = uuid4(), uuid7()
    pair = issue(session_id, user_id, "client")
    uow.one(
        "sign_up",
        user_id=user_id,
        entry_id=uuid7(),
        email=email,
        password_hash=passwords.hash_password(password),
        balance=OPENING_CREDIT["client"],
        **_session(session_id, pair),
        **_names(buckets),
    )
    return pair


def _session(session_id: UUID, pair: TokenPair) -> dict[str, Any]:
    lifetime = LIFETIME[TokenType.REFRESH]
    return {"session_id": session_id, "refresh_id": pair.refresh_id, "lifetime": lifetime}


def _names(buckets: dict[str, Any]) -> dict[str, Any]:
    return {name: buckets[name] for name in ("email_bucket", "address_bucket")}
