"""`make audit`: what it says, with which exit status, and that it only looks."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deploy.environment import ROOT
from localstack.postgres import Postgres
from shared.billing import audit as audits
from shared.database import connection as database
from shared.database import dispose_connections
from tests.integration.conftest import Server
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


def test_books_in_order_exit_with_0(client: Person) -> None:
    said = audit()
    assert (said.returncode, said.stderr) == (0, "")


def test_books_that_are_off_exit_with_1_and_name_who(client: Person, admin: Person, sql: Sql) -> None:
    sql("UPDATE users SET balance = balance + 7 WHERE id = :id", id=client.id)
    said = audit()
    assert said.returncode == 1
    assert str(client.id) in said.stdout
    assert client.email in said.stdout
    assert "27" in said.stdout
    assert admin.email not in said.stdout


def test_a_database_out_of_reach_is_no_clean_bill(database_url: str) -> None:
    said = audit(AWS_PGSQL_PATH="postgresql://postgres@/x?host=/nowhere")
    assert said.returncode not in (0, 1)
    assert "Traceback" not in said.stderr


def test_where_everybody_is_off_the_first_are_named_and_the_others_counted(
    client: Person, admin: Person, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audits, "LINES_LIMIT", 1)
    sql("UPDATE users SET balance = balance + 7")  # of these two, and the two of set-up
    first, rest = audits.findings()
    assert first.startswith("MISMATCH ")
    assert rest == "… and 3 more"


def test_an_audit_may_take_longer_than_a_copy_may_be_silent(
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


def of_the_service(folder: str, database: str = "") -> subprocess.CompletedProcess[str]:
    """As make calls it, with nothing running in the data folder."""
    told = {"DATA_DIR": folder, "AWS_PGSQL_PATH": database, "JWT_SECRET_KEY": ""}
    return audit("localstack.run", "audit", **told)


def test_a_database_that_settings_name_is_audited_with_nothing_started(
    client: Person, sql: Sql, database_url: str, tmp_path: Path
) -> None:
    assert of_the_service(str(tmp_path), database_url).returncode == 0
    sql("UPDATE users SET balance = balance + 7 WHERE id = :id", id=client.id)
    said = of_the_service(str(tmp_path), database_url)
    assert (said.returncode, client.email in said.stdout) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_an_audit_migrates_nothing(empty_database_url: str, server: Server, tmp_path: Path) -> None:
    said = of_the_service(str(tmp_path), empty_database_url)
    assert (said.returncode, "The audit failed" in said.stderr) == (2, True)
    name = empty_database_url.partition("@/")[2].partition("?")[0]
    with server.connect(name) as connection:
        assert connection.run("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_the_embedded_database_is_woken_for_it_and_put_to_sleep_again() -> None:
    # Not in pytest's own folder, which the user that Postgres runs as may not enter.
    with TemporaryDirectory(prefix="restcalculator-") as folder:
        said = of_the_service(f"{folder}/none")
        assert (said.returncode, "`make up` creates it" in said.stderr) == (2, True)
        postgres = Postgres(Path(folder) / "postgres")
        postgres.start()
        postgres.stop()
        said = of_the_service(folder)
        assert (said.returncode, "The audit failed" in said.stderr) == (2, True)  # it has no tables
        assert not postgres.running
