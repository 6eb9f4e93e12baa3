"""What a function imports is what its cold start costs: each may import what it needs, and nothing else."""

import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import pytest

from deploy.environment import ROOT
from deploy.serverless_file import Service
from tests.support.import_chains import DEAR, OPENAPI

LISTS = {
    f"functions.{name}.list" for name in ("api_keys", "ledger", "operations", "records", "tasks", "users")
}
PASSWORDS = {"functions.auth.login", "functions.auth.create_admin"}
PASSWORDS |= {"functions.users.create", "functions.users.update", "migrations.handler"}
STORAGE = {f"functions.tasks.{name}" for name in ("create", "process_csv", "results", "resume")}
STORAGE |= {"worker.handler", "functions.housekeeping.restart_tasks"}

MAY_IMPORT = {
    "sqlalchemy": LISTS | {"migrations.handler"},
    "alembic": {"migrations.handler"},
    "argon2": PASSWORDS,
    "python_multipart": {"functions.tasks.process_csv"},
    "boto3": STORAGE,
    "botocore.client": STORAGE,
    OPENAPI: set[str](),
}
"""Each expensive library and the functions that need it: for filters, migrations, hashes, forms or files."""

HANDLERS = sorted(
    {
        function.handler.rpartition(".")[0].replace("/", ".")
        for function in Service.load(ROOT / "serverless.yml", {}).functions.values()
    }
)


@cache
def chains() -> dict[str, dict[str, list[str]]]:
    """Each handler's dear libraries, and who imported whom down to them."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.support.import_chains", *HANDLERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said: dict[str, dict[str, list[str]]] = json.loads(told.stdout)
    return said


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_function_imports_no_dear_library_that_it_does_not_need(handler: str) -> None:
    needless = {
        library: " -> ".join(chain)
        for library, chain in chains()[handler].items()
        if handler not in MAY_IMPORT.get(library, set())
    }
    assert needless == {}


@pytest.mark.parametrize("library", MAY_IMPORT)
def test_whoever_may_import_a_dear_library_does(library: str) -> None:
    # Else the table above would forbid nothing.
    assert {handler for handler in HANDLERS if library in chains()[handler]} == MAY_IMPORT[library]


@pytest.mark.parametrize("library", DEAR)
def test_a_dear_library_is_still_called_so(library: str) -> None:
    # Otherwise the chain would not show which module imports it.
    assert find_spec(library) is not None
