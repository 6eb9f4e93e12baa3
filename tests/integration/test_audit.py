"""`python -m shared.audit`: what `make audit` says, and with which exit status."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from localstack.settings import ROOT
from tests.integration.people import Person

Sql = Callable[..., list[list[Any]]]


def audit(**changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shared.audit"],
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
