"""Parsing of `AWS_PGSQL_PATH`."""

import ssl

import pytest

from shared.database.url import PostgresUrl
from shared.errors import SettingsError


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+pg8000"])
def test_url_is_parsed_for_any_scheme_of_postgresql(scheme: str) -> None:
    url = PostgresUrl.parse(f"{scheme}://ada:secret@db.example.com:6543/shop")
    assert (url.user, url.password, url.host, url.port, url.database) == (
        "ada",
        "secret",
        "db.example.com",
        6543,
        "shop",
    )


def test_parts_are_percent_decoded() -> None:
    url = PostgresUrl.parse("postgresql://a%40b:p%2F%3A%25@h/d%20b")
    assert (url.user, url.password, url.database) == ("a@b", "p/:%", "d b")


def test_missing_parts_have_the_defaults_of_postgres() -> None:
    url = PostgresUrl.parse("postgresql://localhost")
    assert (url.user, url.password, url.port, url.database) == ("postgres", None, 5432, "postgres")


def test_host_that_is_a_folder_is_a_unix_socket_without_tls() -> None:
    url = PostgresUrl.parse("postgresql://postgres@/shop?host=/var/run/postgresql")
    assert url.unix_folder == "/var/run/postgresql"
    assert not url.tls


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_local_server_is_used_without_tls(host: str) -> None:
    assert not PostgresUrl.parse(f"postgresql://{host}/shop").tls


def test_remote_server_is_used_with_tls_unless_disabled() -> None:
    assert PostgresUrl.parse("postgresql://db.example.com/shop").tls
    assert not PostgresUrl.parse("postgresql://db.example.com/shop?sslmode=disable").tls
    assert PostgresUrl.parse("postgresql://localhost/shop?sslmode=verify-full").tls


def test_tls_context_verifies_certificate_and_host_name() -> None:
    context = PostgresUrl.parse("postgresql://db.example.com/shop").tls_context()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "shop",
        "mysql://ada:s3cret@h/d",
        "postgresqlx://ada:s3cret@h/d",
        "postgresql://ada:s3cret@h:port/d",
        "postgresql://ada:s3cret@h:65536/d",
        "postgresql://ada:s3cret@[h/d",
        "postgresql://ada:s3cret@h/d?sslmode=maybe",
    ],
)
def test_invalid_url_is_rejected_with_the_variables_name_and_without_secrets(wrong: str) -> None:
    with pytest.raises(SettingsError, match="AWS_PGSQL_PATH") as caught:
        PostgresUrl.parse(wrong)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "host", ["db.c1x2.eu-west-1.rds.amazonaws.com", "p.proxy-c1.eu-west-1.rds.amazonaws.com"]
)
def test_rds_server_is_verified_only_with_the_roots_of_its_region(host: str) -> None:
    context = PostgresUrl.parse(f"postgresql://{host}/shop").tls_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    names = [dict(part[0] for part in root["subject"])["commonName"] for root in context.get_ca_certs()]
    assert sum(name.startswith("Amazon RDS eu-west-1 Root CA") for name in names) == 3
    assert not [name for name in names if "RDS" in name and "eu-west-1" not in name]
    assert "Amazon Root CA 1" in names


@pytest.mark.parametrize(
    "host", ["db.c1.mars-north-1.rds.amazonaws.com", "db.c1.cn-mars-1.rds.amazonaws.com.cn"]
)
def test_rds_server_in_an_unknown_region_is_rejected(host: str) -> None:
    url = PostgresUrl.parse(f"postgresql://{host}/shop")
    with pytest.raises(SettingsError, match=r"mars.*rds_roots\.pem"):
        url.tls_context()
