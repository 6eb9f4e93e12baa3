"""Access and refresh tokens: signature, claims, type and lifetime."""

import base64
import json
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from shared.auth import tokens
from shared.auth.tokens import TokenType
from shared.errors import NotSignedIn, SettingsError
from shared.settings import settings

SESSION, USER = uuid4(), uuid4()


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a valid access token with changes. None removes a claim."""
    now = int(time.time())
    whole = {
        "sid": str(SESSION),
        "sub": str(USER),
        "role": "client",
        "csrf": "a csrf token",
        "type": "access",
        "jti": str(uuid4()),
        "iss": "restcalculator",
        "aud": "restcalculator-api",
        "iat": now,
        "exp": now + 900,
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def signed(key: str | None = None, algorithm: str = "HS256", **changes: Any) -> str:
    key = settings().signing_key() if key is None else key
    return jwt.encode(claims(**changes), key, algorithm)


def unsigned(algorithm: str) -> str:
    parts = ({"alg": algorithm, "typ": "JWT"}, claims())
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join(encoded) + "."


def test_issued_tokens_contain_user_session_and_role() -> None:
    pair = tokens.issue(SESSION, USER, "admin")
    for token, kind in ((pair.access, TokenType.ACCESS), (pair.refresh, TokenType.REFRESH)):
        decoded = tokens.verify(token, kind)
        assert (decoded.session_id, decoded.user_id, decoded.role, decoded.csrf) == (
            SESSION,
            USER,
            "admin",
            pair.csrf,
        )
    assert tokens.verify(pair.refresh, TokenType.REFRESH).token_id == pair.refresh_id


def test_token_has_exactly_the_claims_of_the_contract() -> None:
    pair = tokens.issue(SESSION, USER, "client")
    decoded = jwt.decode(pair.access, options={"verify_signature": False})
    assert set(decoded) == {"iss", "aud", "iat", "exp", "jti", "sid", "sub", "role", "type", "csrf"}
    assert jwt.get_unverified_header(pair.access)["alg"] == "HS256"


def test_access_token_lasts_15_minutes_and_refresh_token_30_days() -> None:
    pair = tokens.issue(SESSION, USER, "client")
    lives = [
        decoded["exp"] - decoded["iat"]
        for token in (pair.access, pair.refresh)
        for decoded in [jwt.decode(token, options={"verify_signature": False})]
    ]
    assert lives == [15 * 60, 30 * 24 * 3600]


def test_two_sign_ins_have_different_token_ids_and_csrf_tokens() -> None:
    one, other = (tokens.issue(SESSION, USER, "client") for _ in range(2))
    assert one.csrf != other.csrf
    assert one.refresh_id != other.refresh_id
    assert tokens.verify(one.access, TokenType.ACCESS).token_id != one.refresh_id


def test_unmodified_token_is_valid() -> None:
    assert tokens.verify(signed(), TokenType.ACCESS).user_id == USER


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"aud": "another-api"},
        {"aud": None},
        {"iss": "somebody"},
        {"iss": None},
        {"sub": None},
        {"sub": "no uuid"},
        {"sid": None},
        {"sid": 7},
        {"jti": "no uuid"},
        {"jti": None},
        {"csrf": None},
        {"role": None},
        {"type": None},
        {"type": "refresh"},
        {"type": "id"},
    ],
    ids=str,
)
def test_token_with_a_wrong_or_missing_claim_is_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(signed(**changes), TokenType.ACCESS)


def test_token_issued_in_the_future_is_rejected() -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(signed(iat=int(time.time()) + 600), TokenType.ACCESS)


def test_expired_token_is_rejected_as_expired() -> None:
    with pytest.raises(NotSignedIn, match="expired"):
        tokens.verify(signed(exp=int(time.time()) - 60), TokenType.ACCESS)


def test_cached_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token, begin = signed(exp=int(time.time()) + 900), time.time()
    for seconds in (0, 899, 900 + tokens.LEEWAY - 1):
        monkeypatch.setattr(time, "time", lambda now=begin + seconds: now)
        assert tokens.verify(token, TokenType.ACCESS).user_id == USER
    monkeypatch.setattr(time, "time", lambda: begin + 900 + tokens.LEEWAY + 1)
    with pytest.raises(NotSignedIn, match="expired"):
        tokens.verify(token, TokenType.ACCESS)


def test_cached_token_is_rejected_with_another_key(
    environment: pytest.MonkeyPatch,
) -> None:
    token = signed()
    assert tokens.verify(token, TokenType.ACCESS).user_id == USER
    environment.setenv("JWT_SECRET_KEY", "another key, of 32 bytes or rather more")
    settings.cache_clear()
    with pytest.raises(NotSignedIn):
        tokens.verify(token, TokenType.ACCESS)


OLD_KEY = "the key of before, of 32 bytes or more"


@pytest.fixture
def rotated(environment: pytest.MonkeyPatch) -> tokens.TokenPair:
    """Issue a pair of tokens, then rotate its key to JWT_SECRET_KEY_OLD."""
    new = settings().signing_key()
    environment.setenv("JWT_SECRET_KEY", OLD_KEY)
    settings.cache_clear()
    pair = tokens.issue(SESSION, USER, "client")
    environment.setenv("JWT_SECRET_KEY", new)
    environment.setenv("JWT_SECRET_KEY_OLD", OLD_KEY)
    settings.cache_clear()
    return pair


def test_tokens_of_the_old_key_stay_valid_after_a_rotation(rotated: tokens.TokenPair) -> None:
    for token, kind in ((rotated.access, TokenType.ACCESS), (rotated.refresh, TokenType.REFRESH)):
        decoded = tokens.verify(token, kind)
        assert (decoded.session_id, decoded.user_id, decoded.csrf) == (SESSION, USER, rotated.csrf)


def test_new_tokens_are_not_signed_with_the_old_key(rotated: tokens.TokenPair) -> None:
    pair = tokens.issue(SESSION, USER, "client")
    for token in (pair.access, pair.refresh):
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token, OLD_KEY, algorithms=["HS256"], audience=tokens.AUDIENCE)


@pytest.mark.parametrize(
    "changes", [{"exp": int(time.time()) - 60}, {"aud": "another-api"}, {"type": "refresh"}], ids=", ".join
)
@pytest.mark.usefixtures("rotated")
def test_token_of_the_old_key_is_validated_like_one_of_the_new_key(changes: dict[str, Any]) -> None:
    assert tokens.verify(signed(OLD_KEY), TokenType.ACCESS).user_id == USER
    with pytest.raises(NotSignedIn):
        tokens.verify(signed(OLD_KEY, **changes), TokenType.ACCESS)


@pytest.mark.usefixtures("rotated")
def test_token_of_a_third_key_is_rejected() -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(signed("another key, of 32 bytes or rather more"), TokenType.ACCESS)


def test_tokens_of_the_old_key_are_rejected_after_its_removal(
    rotated: tokens.TokenPair, environment: pytest.MonkeyPatch
) -> None:
    assert tokens.verify(rotated.access, TokenType.ACCESS).user_id == USER
    environment.setenv("JWT_SECRET_KEY_OLD", "")
    settings.cache_clear()
    with pytest.raises(NotSignedIn):
        tokens.verify(rotated.access, TokenType.ACCESS)


def test_access_token_is_rejected_as_a_refresh_token() -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(tokens.issue(SESSION, USER, "client").access, TokenType.REFRESH)


def test_token_of_another_key_is_rejected() -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(signed(key="another key, of 32 bytes or rather more"), TokenType.ACCESS)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
def test_unsigned_token_is_rejected(algorithm: str) -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(unsigned(algorithm), TokenType.ACCESS)


def test_token_with_another_algorithm_is_rejected() -> None:
    key = "x" * 64
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JWT_SECRET_KEY", key)
        settings.cache_clear()
        assert tokens.verify(signed(key), TokenType.ACCESS)
        with pytest.raises(NotSignedIn):
            tokens.verify(signed(key, "HS512"), TokenType.ACCESS)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_tampered_token_is_rejected(part: int) -> None:
    parts = signed().split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    with pytest.raises(NotSignedIn):
        tokens.verify(".".join(parts), TokenType.ACCESS)


@pytest.mark.parametrize("garbage", ["", ".", "..", "a.b.c", "é", "\ud800", "x" * 100_000, "null.null.null"])
def test_garbage_is_rejected_as_a_token(garbage: str) -> None:
    with pytest.raises(NotSignedIn):
        tokens.verify(garbage, TokenType.ACCESS)


def test_issue_rejects_a_short_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JWT_SECRET_KEY", "x" * 31)
    settings.cache_clear()
    with pytest.raises(SettingsError, match="JWT_SECRET_KEY"):
        tokens.issue(SESSION, USER, "client")


def test_verified_claims_are_uuids() -> None:
    decoded = tokens.verify(signed(), TokenType.ACCESS)
    assert all(isinstance(value, UUID) for value in (decoded.token_id, decoded.session_id, decoded.user_id))
