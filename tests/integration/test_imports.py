"""Imports of each function: they determine its cold start, so each may import only what it needs."""

import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import pytest

from deploy.environment import ROOT
from deploy.serverless_file import Service
from tests.support.import_chains import APPSYNC, EXPENSIVE, OPENAPI

PASSWORDS = {"functions.auth.login", "functions.auth.create_admin"}
PASSWORDS |= {
    "functions.users.change_password",
    "functions.users.create",
    "functions.users.update",
    "migrations.handler",
}
STORAGE = {
    f"functions.tasks.{name}" for name in ("cancel", "create", "process_csv", "results", "resume", "start")
}
STORAGE |= {"functions.exports.create", "functions.exports.get"}
STORAGE |= {"worker.handler", "functions.housekeeping.restart_tasks"}
STORAGE |= {"functions.webhooks.test", "functions.webhooks.redeliver"}
STORAGE |= {"webhooks.dispatcher", "webhooks.sender", "webhooks.recorder"}

MAY_IMPORT = {
    "sqlalchemy": {"migrations.handler"},
    "alembic": {"migrations.handler"},
    "argon2": PASSWORDS,
    "python_multipart": {"functions.tasks.process_csv"},
    "boto3": STORAGE,
    "botocore.client": STORAGE,
    APPSYNC: set[str](),
    OPENAPI: set[str](),
}
"""Each expensive library and the functions that need it: for migrations, hashes, forms or files."""

HANDLERS = sorted(
    {
        function.handler.rpartition(".")[0].replace("/", ".")
        for function in Service.load(ROOT / "serverless.yml", {}).functions.values()
    }
)


@cache
def chains() -> dict[str, dict[str, list[str]]]:
    """Return each handler's expensive libraries with the chain of modules that imports them."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.support.import_chains", *HANDLERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    result: dict[str, dict[str, list[str]]] = json.loads(process.stdout)
    return result


@pytest.mark.parametrize("handler", HANDLERS)
def test_function_imports_no_expensive_library_that_it_does_not_need(handler: str) -> None:
    needless = {
        library: " -> ".join(chain)
        for library, chain in chains()[handler].items()
        if handler not in MAY_IMPORT.get(library, set())
    }
    assert needless == {}


@pytest.mark.parametrize("library", MAY_IMPORT)
def test_every_allowed_import_of_an_expensive_library_is_used(library: str) -> None:
    # An unused permission would make the table above meaningless.
    assert {handler for handler in HANDLERS if library in chains()[handler]} == MAY_IMPORT[library]


@pytest.mark.parametrize("library", EXPENSIVE)
def test_expensive_library_exists_under_its_name(library: str) -> None:
    # Under a wrong name, its import would go unnoticed.
    assert find_spec(library) is not None
