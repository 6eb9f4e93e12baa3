"""The settings: errors name every invalid variable and never contain its value."""

import pytest

from shared.errors import SettingsError
from shared.settings import settings

SECRET = "hunter2"


def failure() -> str:
    settings.cache_clear()
    with pytest.raises(SettingsError) as caught:
        settings()
    return str(caught.value)


@pytest.mark.parametrize("value", [None, ""])
def test_database_is_required_only_when_it_is_used(
    environment: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        environment.delenv("AWS_PGSQL_PATH")
    else:
        environment.setenv("AWS_PGSQL_PATH", value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match="AWS_PGSQL_PATH is missing"):
        settings().database_url()


@pytest.mark.parametrize("value", [None, ""])
def test_signing_key_is_required_only_when_it_is_used(
    environment: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        environment.delenv("JWT_SECRET_KEY")
    else:
        environment.setenv("JWT_SECRET_KEY", value)
    settings.cache_clear()
    with pytest.raises(SettingsError, match="JWT_SECRET_KEY is missing"):
        settings().signing_key()


def test_all_invalid_variables_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ORIGIN_SECRET", "short")
    environment.setenv("JWT_SECRET_KEY", "short")
    environment.setenv("CONFIG_TYPE", "staging")
    message = failure()
    assert all(name in message for name in ("ORIGIN_SECRET", "JWT_SECRET_KEY", "CONFIG_TYPE"))


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "JWT_SECRET_KEY_OLD"])
def test_short_secret_is_rejected_without_showing_it(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, SECRET)
    message = failure()
    assert f"{name}: " in message
    assert SECRET not in message


def test_secret_of_32_bytes_is_accepted(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JWT_SECRET_KEY", "x" * 32)
    settings.cache_clear()
    assert settings().signing_key() == "x" * 32


def test_error_does_not_contain_the_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CONFIG_TYPE", SECRET)
    message = failure()
    assert "CONFIG_TYPE: " in message
    assert SECRET not in message


def test_repr_of_the_settings_contains_no_secrets(environment: pytest.MonkeyPatch) -> None:
    for name in (
        "JWT_SECRET_KEY",
        "JWT_SECRET_KEY_OLD",
        "ADMIN_PASSWORD",
        "CLIENT_PASSWORD",
        "RANDOM_STRING_API_KEY",
    ):
        environment.setenv(name, SECRET + "x" * 32)
    environment.setenv("AWS_PGSQL_PATH", f"postgresql://me:{SECRET}@localhost/db")
    settings.cache_clear()
    assert SECRET not in repr(settings())


@pytest.mark.parametrize(
    ("name", "published"), [("CLIENT_PASSWORD", "Test1234!"), ("ADMIN_PASSWORD", "adminpass")]
)
@pytest.mark.parametrize("is_set", [True, False])
def test_production_rejects_default_passwords(
    environment: pytest.MonkeyPatch, name: str, published: str, is_set: bool
) -> None:
    environment.setenv("CONFIG_TYPE", "production")
    environment.setenv("CLIENT_PASSWORD", "Private1234!")
    environment.setenv("ADMIN_PASSWORD", "Private5678!")
    environment.setenv(name, published) if is_set else environment.delenv(name)
    settings.cache_clear()
    with pytest.raises(SettingsError, match=name):
        settings().passwords()


def test_checked_admin_password_does_not_require_the_clients_password(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("CONFIG_TYPE", "production")
    environment.setenv("ADMIN_PASSWORD", "Private5678!")
    settings.cache_clear()
    assert settings().checked_admin_password() == "Private5678!"


def test_production_accepts_other_passwords(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CONFIG_TYPE", "production")
    environment.setenv("CLIENT_PASSWORD", "Private1234!")
    environment.setenv("ADMIN_PASSWORD", "Private5678!")
    settings.cache_clear()
    assert settings().passwords() == ("Private1234!", "Private5678!")


def test_default_passwords_apply_outside_production() -> None:
    assert not settings().production
    assert settings().passwords() == ("Test1234!", "adminpass")


@pytest.mark.parametrize(
    ("config_type", "variable", "allowed"),
    [
        ("local", "true", True),
        ("local", None, False),
        ("development", None, False),
        ("production", "true", False),
    ],
)
def test_webhooks_may_have_urls_of_this_machine_only_outside_production_and_if_it_is_set(
    environment: pytest.MonkeyPatch, config_type: str, variable: str | None, allowed: bool
) -> None:
    environment.setenv("CONFIG_TYPE", config_type)
    environment.delenv("WEBHOOK_LOOPBACK", raising=False)
    if variable is not None:
        environment.setenv("WEBHOOK_LOOPBACK", variable)
    settings.cache_clear()
    assert settings().allows_loopback is allowed
