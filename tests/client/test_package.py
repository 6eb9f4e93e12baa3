"""The package: what an import loads, and what an installation brings."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable

from deploy.environment import ROOT

PACKAGE = ROOT / "client" / "restcalc"
LOADED_LATER = {"anyio", "asyncio", "httpx", "rich", "ssl", "typer"}
"""Packages that the first request or the command line loads. They take longer than the rest of the import."""


def test_import_loads_neither_the_http_client_nor_the_command_line() -> None:
    script = "import sys, restcalc; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert LOADED_LATER & set(run.stdout.split()) == set()


def test_installation_brings_what_the_package_imports_and_nothing_of_the_service() -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text("utf-8"))["project"]
    optional = [line for lines in project["optional-dependencies"].values() for line in lines]
    required = package_names(project["dependencies"])
    assert third_party_imports() <= required | package_names(optional)
    service = (ROOT / "requirements.in").read_text("utf-8").splitlines()
    assert required & package_names(line for line in service if not line.startswith("#")) == set()


def package_names(requirements: Iterable[str]) -> set[str]:
    """Return the names in lines such as `httpx>=0.28,<1`."""
    return {re.split(r"[^\w-]", line)[0] for line in requirements}


def third_party_imports() -> set[str]:
    """Return the packages that the modules of the package import, except the standard library's."""
    names = set[str]()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"restcalc"}
