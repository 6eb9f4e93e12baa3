"""`make audit`: its output, its exit status, and that it changes nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import ROOT
from localstack.postgres import Postgres
from shared.billing import audit as audits
from shared.database import connection as database
from shared.database import dispose_connections
from tests.integration.conftest import Server
from tests.support.charging import charge
from tests.support.data_folder import data_folder
from tests.support.users import Person

Sql = Callable[..., list[list[Any]]]


def audit(*command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *(command or ["shared.billing.audit"])],
        cwd=ROOT,
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_audit_exits_with_0_if_all_balances_are_right(client: Person) -> None:
    result = audit()
    assert (result.returncode, result.stderr) == (0, "")


def test_audit_exits_with_1_and_names_users_with_a_wrong_balance(
    client: Person, admin: Person, sql: Sql
) -> None:
    sql("UPDATE users SET balance = balance + 7 WHERE id = :id", id=client.id)
    result = audit()
    assert result.returncode == 1
    assert str(client.id) in result.stdout
    assert client.email in result.stdout
    assert "27" in result.stdout
    assert admin.email not in result.stdout


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE usage_hours SET spent = spent + 0.0001",
        "DELETE FROM usage_hours",
        "INSERT INTO usage_hours (user_id, hour, type, spent) SELECT user_id, hour, 'x', 1 FROM usage_hours",
    ],
)
def test_audit_names_users_whose_usage_differs_from_the_ledger(
    client: Person, admin: Person, sql: Sql, damage: str
) -> None:
    charge(client)
    assert audits.findings() == []
    sql(damage)
    (line,) = audits.findings()
    assert client.email in line
    assert "charges less refunds 5.0000" in line


def test_audit_exits_with_another_status_if_the_database_is_unreachable(database_url: str) -> None:
    result = audit(AWS_PGSQL_PATH="postgresql://postgres@/x?host=/nowhere")
    assert result.returncode not in (0, 1)
    assert "Traceback" not in result.stderr


def test_audit_names_the_first_wrong_balances_and_counts_the_rest(
    client: Person, admin: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "LINES_LIMIT", 1)
    sql("UPDATE users SET balance = balance + 7")  # these two and the two default users
    first, rest = audits.findings()
    assert first.startswith("MISMATCH ")
    assert rest == "… and 3 more"


def test_audit_may_take_longer_than_the_copy_timeout(
    client: Person, server: Server, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispose_connections()
    monkeypatch.setattr(database, "COPY_TIMEOUT", 0.2)
    name = database_url.partition("@/")[2].partition("?")[0]
    with server.connect(name) as other, ThreadPoolExecutor(1) as pool:
        other.run("BEGIN")
        other.run("LOCK TABLE ledger")
        found = pool.submit(audits.findings)
        with pytest.raises(TimeoutError):
            found.result(1)
        other.run("COMMIT")
        assert found.result(10) == []
    dispose_connections()


def run_service_audit(folder: str, database: str = "") -> subprocess.CompletedProcess[str]:
    """Run `make audit` while no service runs in the data folder."""
    environment = {"DATA_DIR": folder, "AWS_PGSQL_PATH": database, "JWT_SECRET_KEY": ""}
    return audit("localstack.run", "audit", **environment)


def test_make_audit_uses_the_configured_database_without_starting_the_service(
    client: Person, sql: Sql, database_url: str, tmp_path: Path
) -> None:
    assert run_service_audit(str(tmp_path), database_url).returncode == 0
    sql("UPDATE users SET balance = balance + 7 WHERE id = :id", id=client.id)
    result = run_service_audit(str(tmp_path), database_url)
    assert (result.returncode, client.email in result.stdout) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_audit_does_not_migrate_the_database(empty_database_url: str, server: Server, tmp_path: Path) -> None:
    result = run_service_audit(str(tmp_path), empty_database_url)
    assert (result.returncode, "The audit failed" in result.stderr) == (2, True)
    name = empty_database_url.partition("@/")[2].partition("?")[0]
    with server.connect(name) as connection:
        assert connection.run("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_make_audit_starts_the_embedded_database_and_stops_it_again() -> None:
    with data_folder("empty") as folder:
        result = run_service_audit(f"{folder}/none")
        assert (result.returncode, "`make up` creates it" in result.stderr) == (2, True)
        postgres = Postgres(folder / "postgres")
        postgres.start()
        postgres.stop()
        result = run_service_audit(str(folder))
        assert (result.returncode, "The audit failed" in result.stderr) == (2, True)  # it has no tables
        assert not postgres.running
