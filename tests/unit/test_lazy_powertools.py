"""Powertools' packages, when `shared/http/lazy_powertools.py` imports their modules one by one."""

import subprocess
import sys
from importlib import import_module

import pytest

from deploy.environment import ROOT
from shared.http.lazy_powertools import PACKAGES

NAMES = [(package, name, module) for package, names in PACKAGES.items() for name, module in names.items()]
INSTALL = "from shared.http import lazy_powertools\nlazy_powertools.install()\n"


def run(code: str) -> list[str]:
    """Run code in a new process. Return the words that it prints."""
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


def imported(code: str) -> set[str]:
    """Return the modules of Powertools that the code imports."""
    return set(
        run(f"{code}\nimport sys\nprint(*(name for name in sys.modules if name.startswith('aws_lambda')))")
    )


@pytest.mark.parametrize(("package", "name", "module"), NAMES)
def test_name_is_the_object_that_the_package_exports(package: str, name: str, module: str) -> None:
    assert getattr(import_module(package), name) is getattr(import_module(f"{package}.{module}"), name)


@pytest.mark.parametrize(("package", "name", "module"), NAMES)
def test_name_is_imported_with_fewer_modules(package: str, name: str, module: str) -> None:
    code = f"from {package} import {name}"
    alone, whole = imported(INSTALL + code), imported(code)
    assert f"{package}.{module}" in alone
    assert alone - PACKAGES.keys() < whole


def test_another_name_imports_the_whole_package() -> None:
    code = "from aws_lambda_powertools.event_handler import AppSyncResolver, Response, api_gateway"
    modules = imported(f"{INSTALL}{code}\nassert Response is api_gateway.Response")
    assert "aws_lambda_powertools.event_handler.bedrock_agent" in modules


def test_metrics_and_tracer_can_be_imported() -> None:
    code = "from aws_lambda_powertools import Logger, Metrics, Tracer\nprint(Metrics.__name__)"
    assert run(INSTALL + code) == ["Metrics"]


def test_unknown_name_raises_import_error() -> None:
    code = (
        "try: from aws_lambda_powertools.event_handler import Unknown\nexcept ImportError: print('unknown')"
    )
    assert run(INSTALL + code) == ["unknown"]


def test_packages_that_are_imported_already_stay() -> None:
    code = f"import sys, aws_lambda_powertools.event_handler as before\n{INSTALL}"
    assert run(f"{code}print(sys.modules['aws_lambda_powertools.event_handler'] is before)") == ["True"]
