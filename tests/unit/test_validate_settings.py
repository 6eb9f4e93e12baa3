"""Validation of the settings before a deploy."""

import socket

import pytest

from deploy import build_database
from deploy.environment import ROOT, read_dotenv
from deploy.validate_settings import setting_errors
from shared.settings import settings

GOOD = {
    "CONFIG_TYPE": "production",
    "JWT_SECRET_KEY": "0123456789abcdef" * 4,
    "CLIENT_PASSWORD": "a-long-password-1",
    "ADMIN_PASSWORD": "a-long-password-2",
    "FRONTEND_URL": "https://app.example.com",
    "DUMMY_VAR": "whatever",
}


def test_valid_settings_pass_and_unknown_ones_are_ignored() -> None:
    assert setting_errors(GOOD) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONFIG_TYPE", "prod"),
        ("CONFIG_TYPE", "local"),
        ("CONFIG_TYPE", "testing"),
        ("STAGE", "Dev_1"),
        ("STAGE", "a-stage-that-is-too-long"),
        ("ROLLBACK_MINUTES", "ten"),
        ("ROLLBACK_MINUTES", "181"),
        ("JWT_SECRET_KEY", ""),
        ("JWT_SECRET_KEY", "0123456789abcdef"),
        ("JWT_SECRET_KEY", "a" * 64),
        ("JWT_SECRET_KEY_OLD", "0123456789abcdef"),
        ("JWT_SECRET_KEY_OLD", "a" * 64),
        ("JWT_SECRET_KEY_OLD", "0123456789abcdef" * 4),
        ("CLIENT_PASSWORD", ""),
        ("CLIENT_PASSWORD", "Test1234!"),
        ("ADMIN_PASSWORD", "adminpass"),
        ("ADMIN_PASSWORD", "short"),
        ("ADMIN_PASSWORD", "a-long-password-1"),
        ("CLIENT_PASSWORD", "a1!" * 43),
        ("FRONTEND_URL", ""),
        ("FRONTEND_URL", "http://app.example.com"),
        ("FRONTEND_URL", "https://localhost:3000"),
        ("FRONTEND_URL", "*"),
        ("FRONTEND_URL", "https://app.example.com/path"),
        ("ORIGIN_SECRET", "0123456789abcdef"),
        ("ORIGIN_SECRET", "a" * 64),
        ("AWS_PGSQL_PATH", "mysql://somewhere/db"),
        ("AWS_PGSQL_PATH", "postgresql://me@localhost/db"),
        ("AWS_PGSQL_PATH", "postgresql://me@db.example.com/db?sslmode=disable"),
        ("AWS_PGSQL_PATH", "postgresql://me@db.c1.mars-north-1.rds.amazonaws.com/db"),
        ("AWS_REGION", "mars-north-1"),
        ("DATABASE_MULTI_AZ", "yes"),
        ("DATABASE_PROXY", "yes"),
        ("AVAILABILITY_ZONES", "us-east-1a"),
        ("AVAILABILITY_ZONES", "use1-az1,use1-az2"),
    ],
)
def test_missing_or_weak_setting_is_named_without_its_value(name: str, value: str) -> None:
    (error,) = setting_errors({**GOOD, name: value})
    assert error.startswith(f"  {name}: ")
    assert len(value) < 6 or value not in error or name == "AWS_REGION"


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_PROXY", "true"), ("DATABASE_CONNECTIONS", "many"), ("DATABASE_CONNECTIONS", "20")],
)
def test_external_database_needs_no_proxy_and_a_connection_limit(name: str, value: str) -> None:
    given = {**GOOD, "AWS_PGSQL_PATH": "postgresql://me@db.example.com/db"}
    assert setting_errors({**given, "DATABASE_PROXY": "false", "DATABASE_CONNECTIONS": "500"}) == []
    (error,) = setting_errors({**given, name: value})
    assert error.startswith(f"  {name}: ")


@pytest.mark.parametrize("dollars", ["a lot", "0", "-5", "$50"])
def test_budget_must_be_whole_dollars(dollars: str) -> None:
    settings = {**GOOD, "ALARM_EMAIL": "me@example.com"}
    assert setting_errors({**settings, "BUDGET_DOLLARS": "50"}) == []
    (error,) = setting_errors({**settings, "BUDGET_DOLLARS": dollars})
    assert error.startswith("  BUDGET_DOLLARS: ")


def test_budget_requires_an_alarm_email() -> None:
    (error,) = setting_errors({**GOOD, "BUDGET_DOLLARS": "50"})
    assert error.startswith("  ALARM_EMAIL: ")


def test_region_without_known_rds_roots_is_accepted_with_an_external_database() -> None:
    elsewhere = {"AWS_REGION": "mars-north-1", "AWS_PGSQL_PATH": "postgresql://me@db.example.com/db"}
    assert setting_errors({**GOOD, **elsewhere}) == []


CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1234abcd"


def test_domain_with_its_certificate_is_accepted() -> None:
    assert setting_errors({**GOOD, "DOMAIN": "api.example.com", "CERTIFICATE_ARN": CERTIFICATE}) == []


@pytest.mark.parametrize(
    ("domain", "certificate", "named"),
    [
        ("https://api.example.com", CERTIFICATE, "DOMAIN"),
        ("api.example.com/v1", CERTIFICATE, "DOMAIN"),
        ("API.example.com", CERTIFICATE, "DOMAIN"),
        ("", CERTIFICATE, "DOMAIN"),
        ("api.example.com", "", "CERTIFICATE_ARN"),
        ("api.example.com", "arn:aws:acm:eu-west-1:123456789012:certificate/1234abcd", "CERTIFICATE_ARN"),
        ("api.example.com", "arn:aws:iam::123456789012:server-certificate/x", "CERTIFICATE_ARN"),
    ],
)
def test_wrong_domain_or_certificate_is_named(domain: str, certificate: str, named: str) -> None:
    (error,) = setting_errors({**GOOD, "DOMAIN": domain, "CERTIFICATE_ARN": certificate})
    assert error.startswith(f"  {named}: ")


def test_all_invalid_settings_are_named_at_once() -> None:
    names = [line.split(":")[0].strip() for line in setting_errors({"CONFIG_TYPE": "production"})]
    assert names == ["JWT_SECRET_KEY", "FRONTEND_URL", "CLIENT_PASSWORD", "ADMIN_PASSWORD"]


def test_default_passwords_are_accepted_outside_production() -> None:
    assert setting_errors({"CONFIG_TYPE": "development", "JWT_SECRET_KEY": GOOD["JWT_SECRET_KEY"]}) == []


def test_env_example_lacks_only_the_secrets_and_the_frontend_url() -> None:
    example = read_dotenv(ROOT / ".env.example")
    assert [line.split(":")[0].strip() for line in setting_errors(example)] == [
        "JWT_SECRET_KEY",
        "FRONTEND_URL",
        "CLIENT_PASSWORD",
        "ADMIN_PASSWORD",
    ]


def build(monkeypatch: pytest.MonkeyPatch, url: str, **settings: str) -> int:
    """Run `make build-prod-db` with these settings and without `.env`."""
    for name in ("CONFIG_TYPE", "JWT_SECRET_KEY", "CLIENT_PASSWORD", "ADMIN_PASSWORD", "AWS_PGSQL_PATH"):
        monkeypatch.setenv(name, settings.get(name, ""))
    monkeypatch.setattr(build_database, "read_dotenv", lambda path: {})
    return build_database.main(url)


def test_build_prod_db_names_all_invalid_settings_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weak = {"CONFIG_TYPE": "local", "ADMIN_PASSWORD": "a", "CLIENT_PASSWORD": "a"}
    assert build(monkeypatch, "mysql://db", **weak) == 1
    _, *lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        "CONFIG_TYPE",
        "CLIENT_PASSWORD",
        "ADMIN_PASSWORD",
        "ADMIN_PASSWORD",
        "AWS_PGSQL_PATH",
    ]


def test_database_that_refuses_connections_is_named_with_its_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    strong = {name: GOOD[name] for name in ("CLIENT_PASSWORD", "ADMIN_PASSWORD")}
    settings.cache_clear()
    try:
        assert build(monkeypatch, f"postgresql://me:secret@127.0.0.1:{port}/db", **strong) == 1
    finally:
        settings.cache_clear()
    output = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in output
    assert "refused" in output
    assert "secret" not in output
