"""Accounts: sign in, sign up, create users and change them."""

import hmac
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from shared import database, users
from shared.auth import passwords, throttle
from shared.auth.caller import NOT_SIGNED_IN_DETAIL, Caller
from shared.auth.tokens import LIFETIME, TokenPair, TokenType, issue
from shared.billing.charges import OPENING_CREDIT
from shared.database import Row, Statements, UnitOfWork
from shared.errors import (
    AccountInactive,
    Conflict,
    InvalidInput,
    NotSignedIn,
    WrongCredentials,
)
from shared.ids import uuid7
from shared.settings import settings

VERIFICATIONS = 2
"""Maximum number of verifications in one sign-in: a second one if the hash changed during the first."""
# The same text whether or not the account exists, so that it does not reveal which e-mails have accounts.
WRONG_CREDENTIALS_DETAIL = f"The e-mail or the password is wrong. To sign up: {passwords.POLICY}"

ACCOUNT_INACTIVE_DETAIL = "This account is inactive. Ask an admin to activate it."


def sign_in(email: str, password: str, address: str) -> TokenPair:
    """Sign in. An unknown e-mail with a compliant password creates a client's account.

    The throttle counts only failed sign-ins. After a correct password it is checked again: otherwise parallel
    guesses that started before the first failure was counted would exceed the limit.

    Args:
        address: the source address of the request, for the throttle.

    Raises:
        WrongCredentials, TooManyRequests, AccountInactive (only if the password is right).
    """
    buckets = throttle.sign_in_buckets(email, address)
    account = database.only("sign_in_attempt", email=email, **buckets)
    throttle.check(account["wait"])
    if account["id"] is None and passwords.complies(password):
        try:
            return _sign_up(email, password)
        except Conflict:
            account = database.only("account", email=email)  # a parallel request signed up first
    for _ in range(VERIFICATIONS):
        if not passwords.verify(password, account["password_hash"]):
            break
        if (pair := _open_session(account, password, buckets)) is not None:
            return pair
        # A parallel sign-in renewed the hash, or the password was changed.
        account = database.only("account", email=email)
    throttle.check(database.only("count_failed_sign_in", **buckets)["wait"])
    raise WrongCredentials(WRONG_CREDENTIALS_DETAIL)


def change_password(caller: Caller, current: str, new: str, address: str) -> None:
    """Change the caller's password and end the caller's other sessions. API keys stay valid.

    The current password is throttled like that of a sign-in.

    Args:
        caller: has a session, not an API key.
        address: the source address of the request, for the throttle.

    Raises:
        InvalidInput: the new password does not follow the policy.
        WrongCredentials, TooManyRequests.
        NotSignedIn: the session has ended meanwhile.
    """
    if not passwords.complies(new):
        raise InvalidInput.at("#/new_password", passwords.POLICY)
    buckets = throttle.sign_in_buckets("", address)
    for _ in range(VERIFICATIONS):
        account = database.one("password_attempt", id=caller.id, **buckets)
        if account is None:
            raise NotSignedIn(NOT_SIGNED_IN_DETAIL)
        buckets = throttle.sign_in_buckets(account["email"], address)
        throttle.check(account["wait"])
        if not passwords.verify(current, account["password_hash"]):
            break
        if _replace_password(caller, account["password_hash"], new, buckets):
            return
        # A parallel sign-in renewed the hash, or the password was changed.
    throttle.check(database.only("count_failed_sign_in", **buckets)["wait"])
    raise WrongCredentials("The current password is wrong.")


def create_admin(email: str, password: str, admin_password: str, address: str) -> tuple[UUID, str]:
    """Create an admin, if `admin_password` is the ADMIN_PASSWORD setting.

    Returns:
        The id, and the user as JSON.

    Raises:
        WrongCredentials, TooManyRequests, Conflict (the e-mail is taken).
    """
    buckets = throttle.sign_in_buckets(email, address)
    expected = settings().checked_admin_password()
    if hmac.compare_digest(admin_password.encode(), expected.encode()):
        throttle.check(database.only("sign_in_attempt", email=email, **buckets)["wait"])
        user_id = uuid7()
        return create_user(email, password, "admin", None, user_id=user_id, admin_id=user_id)
    throttle.check(database.only("count_failed_sign_in", **buckets)["wait"])
    raise WrongCredentials("The admin password is wrong.")


def create_user(
    email: str,
    password: str,
    role: str,
    balance: Decimal | None,
    statements: Statements = database,
    *,
    status: str = "active",
    user_id: UUID | None = None,
    admin_id: UUID | None = None,
) -> tuple[UUID, str]:
    """Create a user with an opening credit.

    Args:
        balance: the opening credit; None for OPENING_CREDIT of the role.
        statements: the caller's unit of work, if the user is created in a transaction.
        user_id: the id of the new user; None for a new one.
        admin_id: the admin in the audit log, which is the new user for `POST /admin`; None at set-up.

    Returns:
        The id, and the user as JSON.

    Raises:
        Conflict: the e-mail is taken.
    """
    user_id = user_id or uuid7()
    row = statements.only(
        "create_user",
        id=user_id,
        entry_id=uuid7(),
        email=email,
        password_hash=passwords.hash_password(password),
        role=role,
        balance=OPENING_CREDIT[role] if balance is None else balance,
        status=status,
        admin_id=admin_id,
        audit_id=uuid7(),
    )
    return user_id, row["body"]


def update_user(admin_id: UUID, user_id: UUID, changes: dict[str, Any]) -> None:
    """Change a user's email, password, role, balance or status.

    A new password ends the sessions and API keys. Deactivation ends the sessions and cancels the tasks.
    Reactivation resets the failures of the user's webhooks.

    Raises:
        NotFound, Conflict (the e-mail is taken, or admins deactivate themselves).
    """
    deactivates = changes.get("status") == "inactive"
    if deactivates and user_id == admin_id:
        raise Conflict("You cannot deactivate your own account. Ask another admin to do it.")
    password = changes.get("password")
    password_hash = (
        passwords.hash_password(password) if password else None
    )  # before the lock: hashing is slow
    with UnitOfWork() as uow:
        if deactivates:
            uow.run("suspend_tasks", user_id=user_id, id=None)
        users.lock(uow, user_id)
        uow.one(
            "update_user",
            id=user_id,
            admin_id=admin_id,
            audit_id=uuid7(),
            entry_id=uuid7(),
            email=changes.get("email"),
            password_hash=password_hash,
            role=changes.get("role"),
            balance=changes.get("balance"),
            status=changes.get("status"),
        )
        uow.commit()


def _replace_password(caller: Caller, verified_hash: str, new: str, buckets: dict[str, Any]) -> bool:
    """Store a new password; return False if the account's hash is no longer the verified one.

    Raises:
        TooManyRequests: other attempts failed too often while this one was verified.
        NotSignedIn: the session has ended.
    """
    password_hash = passwords.hash_password(new)  # before the lock: hashing is slow
    with UnitOfWork() as uow:
        uow.one("lock_user", id=caller.id)
        row = uow.only(
            "change_password",
            session_id=caller.session_id,
            verified_hash=verified_hash,
            password_hash=password_hash,
            **buckets,
        )
        uow.commit()
    throttle.check(row["wait"])
    if not row["signed_in"]:
        raise NotSignedIn(NOT_SIGNED_IN_DETAIL)
    return row["id"] is not None


def _open_session(account: Row, password: str, buckets: dict[str, Any]) -> TokenPair | None:
    """Open a session for a verified password; None if the account's hash is no longer the verified one.

    Raises:
        TooManyRequests: other sign-ins failed too often while this one was verified.
        AccountInactive.
    """
    session_id, refresh_id = uuid4(), uuid4()
    outdated = passwords.outdated(account["password_hash"])
    row = database.only(
        "open_session",
        user_id=account["id"],
        verified_hash=account["password_hash"],
        password_hash=passwords.hash_password(password) if outdated else None,
        session_id=session_id,
        refresh_id=refresh_id,
        lifetime=LIFETIME[TokenType.REFRESH],
        **buckets,
    )
    throttle.check(row["wait"])
    if row["status"] == "inactive":
        raise AccountInactive(ACCOUNT_INACTIVE_DETAIL)
    return None if row["id"] is None else issue(session_id, row["id"], row["role"], refresh_id)


def _sign_up(email: str, password: str) -> TokenPair:
    session_id, refresh_id, user_id = uuid4(), uuid4(), uuid7()
    database.one(
        "sign_up",
        user_id=user_id,
        entry_id=uuid7(),
        email=email,
        password_hash=passwords.hash_password(password),
        balance=OPENING_CREDIT["client"],
        session_id=session_id,
        refresh_id=refresh_id,
        lifetime=LIFETIME[TokenType.REFRESH],
    )
    return issue(session_id, user_id, "client", refresh_id)
