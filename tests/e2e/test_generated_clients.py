"""Clients that openapi-python-client and openapi-typescript generate from the document use the service."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.environment import ROOT
from tests.support.http_client import PASSWORD, Client

SESSIONS = ROOT / "tests" / "support" / "generated_clients"
DOCUMENT = ROOT / "docs" / "openapi.json"
NODE_MODULES = ROOT / "node_modules"
BALANCE = Decimal("12345678901234.5678")
"""Eighteen digits: a double keeps only 17."""
PRICE = 5


@pytest.fixture
def rich(account: Callable[..., Client], admin: Client) -> Client:
    """A client with BALANCE, whose digits a float would lose."""
    client = account()
    body = f'{{"balance": {BALANCE}}}'
    changed = admin.patch(
        f"/api/v1/users/{client.id}", content=body, headers={"Content-Type": "application/json"}
    )
    assert changed.status_code == 204, changed.text
    return client


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a command that must succeed without warnings. Return its output."""
    result = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "warning" not in output.lower(), output
    return result.stdout


def check_session(output: str) -> None:
    """Check what a session printed: it charged one call and one row."""
    seen = json.loads(output)
    (row,) = csv.DictReader(io.StringIO(seen.pop("csv")))
    assert (row["operation"], row["result"], row["amount"]) == ("addition", "3", str(PRICE))
    assert seen == {
        "balance": str(BALANCE),
        "amount": str(PRICE),
        "left": str(BALANCE - PRICE),
        "result": 1,
        "spent": str(PRICE),
        "filtered": [str(PRICE)],
    }


def test_client_of_openapi_python_client_computes_and_uploads(rich: Client, url: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("post_hooks: []\n")  # formatting the generated code takes seconds
    package = tmp_path / "restcalculator"
    options = (f"--path={DOCUMENT}", f"--output-path={package}", f"--config={config}", "--meta=none")
    run(sys.executable, "-m", "openapi_python_client", "generate", *options, "--fail-on-warning")
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    check_session(
        run(sys.executable, SESSIONS / "session.py", url, rich.email, PASSWORD, environment=environment)
    )


def test_client_of_openapi_typescript_and_openapi_fetch_computes_and_uploads(
    rich: Client, url: str, tmp_path: Path
) -> None:
    types, script = tmp_path / "schema.d.ts", SESSIONS / "session.mjs"
    run("node", SESSIONS / "generate.mjs", DOCUMENT, types)
    options = {
        **{"noEmit": True, "strict": True, "allowJs": True, "skipLibCheck": True, "types": []},
        **{"target": "es2022", "lib": ["es2022", "dom"], "module": "nodenext"},
        "paths": {"schema": [str(types)]},
    }
    project = tmp_path / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": options, "files": [str(script), str(types)]}))
    run(NODE_MODULES / ".bin" / "tsc", "--project", project)
    check_session(run("node", script, url, rich.email, PASSWORD))
