"""Checks of the Docker files that need no Docker engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.environment import ROOT
from shared.database.url import PostgresUrl

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
BUILD, _, IMAGE = DOCKERFILE.rpartition("FROM ")
COPY = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)
COPIED = COPY.findall(IMAGE)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(ROOT / "localstack/docker-compose.yml").read_text("utf-8"))
    return dict(found["services"])


def test_copied_files_exist_and_are_not_ignored() -> None:
    sources = {source for line in COPY.findall(DOCKERFILE) for source in line.split()}
    assert sources
    assert all((ROOT / source).exists() for source in sources)
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"
    }
    assert allowed == sources


def test_copied_files_suffice_to_import_the_service(tmp_path: Path) -> None:
    for source in COPIED:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    modules = (
        "localstack.run, localstack.stack, localstack.event_source, localstack.scheduler, localstack.server"
    )
    command = [sys.executable, "-c", f"import {modules}"]
    subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=True)


def test_image_contains_the_console_that_its_own_stage_builds() -> None:
    assert "npm run --silent build" in BUILD
    assert {"console", "docs"} <= set(COPY.findall(BUILD)[0].split() + COPY.findall(BUILD)[1].split())
    assert "COPY --from=console /srv/restcalculator/build build\n" in IMAGE


def test_image_contains_no_secrets_and_no_build_output() -> None:
    assert {".env", ".venv", ".data", "build"}.isdisjoint(" ".join(COPIED).split())
    assert "\n*\n" in (ROOT / ".dockerignore").read_text("utf-8")


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values() if "image" in service]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(images) == 4
    assert all(re.search(r":\d+\.\d+", image) for image in images)


def test_ports_are_published_only_on_localhost(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service["ports"]]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_service_is_configured_for_the_other_two_containers(services: dict[str, Any]) -> None:
    environment = services["service"]["environment"]
    database = PostgresUrl.parse(environment["AWS_PGSQL_PATH"])
    assert database.host in services
    assert (database.database, database.password) == (
        services["postgres"]["environment"]["POSTGRES_DB"],
        services["postgres"]["environment"]["POSTGRES_PASSWORD"],
    )
    alias = environment["AWS_ENDPOINT_URL"].removeprefix("http://").partition(":")[0]
    assert alias in services["localstack"]["networks"]["default"]["aliases"]
    assert set(services["service"]["depends_on"]) == {"localstack", "postgres"}


def test_image_runs_as_an_unprivileged_user() -> None:
    assert DOCKERFILE.index("USER service") < DOCKERFILE.index("CMD [")
