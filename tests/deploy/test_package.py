"""The deployable zip: complete, within its size limit, and able to start."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import package
from deploy.environment import ROOT
from deploy.serverless_file import Function, Service
from functions.console import asset
from tests.support.data_folder import data_folder

SERVICE = Service.load(ROOT / "serverless.yml", {})
UNCHECKED_HASH = b"\x01\0\0\0"  # PEP 552
# Runs with only the package and Lambda's own libraries: imports all handlers, builds the SQL of a list,
# migrates, and sends four requests.
START_PROGRAM = """
import importlib, json, sys
sys.path[:0] = sys.argv[1:3]
for name in json.loads(sys.argv[3]):
    importlib.import_module(name)
from functions.console import asset, index
from functions.docs import health, page
from migrations.handler import handler
from shared.lists import registry, shape, sql
sql.page_sql(registry.RECORDS, shape.Shape(("id",), (), (("amount", True),), True, True, "top", False))
revision = handler({}, None)["revision"]
statuses = []
script = "/assets/" + next(path.stem for path in asset.FOLDER.glob("index-*.js.gz"))
for app, path in ((health.app, "/health"), (page.app, "/docs"), (index.app, "/"), (asset.app, script)):
    context = {"requestId": "1", "stage": "$default", "http": {"method": "GET", "path": path}}
    headers = {"accept-encoding": "br"}
    event = {"routeKey": f"GET {path}", "rawPath": path, "headers": headers, "requestContext": context}
    response = app(event, None)
    statuses.append([response["statusCode"], response["headers"].get("Content-Encoding")])
print(json.dumps([revision, statuses]))
"""


@pytest.fixture(scope="module")
def archive(make_package: None) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(package.ZIP) as archive:
        yield archive


@pytest.fixture(scope="module")
def names(archive: zipfile.ZipFile) -> set[str]:
    return set(archive.namelist())


@pytest.mark.parametrize("function", SERVICE.functions.values(), ids=lambda function: function.name)
def test_zip_contains_the_module_of_every_handler(names: set[str], function: Function) -> None:
    assert f"{function.handler.rpartition('.')[0]}.py" in names


def test_zip_contains_every_statement_and_document(names: set[str]) -> None:
    data = [
        path
        for pattern in ("shared/database/sql/**/*.sql", "shared/*.pem", "docs/openapi.json")
        for path in ROOT.glob(pattern)
    ]
    assert {path.relative_to(ROOT).as_posix() for path in data} <= names


def test_zip_contains_the_web_pages_and_both_compressed_forms_of_each_file(names: set[str]) -> None:
    files = {name.removeprefix("build/console/") for name in names if name.startswith("build/console/")}
    compressed = {name.removesuffix(".gz") for name in files if name.endswith(".gz")}
    pages = {"index.html", "docs.html"}
    assert files == pages | {f"{name}{suffix}" for name in compressed for suffix in (".br", ".gz")}
    assert pages < compressed
    assert {Path(name).suffix for name in compressed - pages} == set(asset.CONTENT_TYPES)


def test_zip_is_within_its_size_limit(archive: zipfile.ZipFile) -> None:
    assert Path(str(archive.filename)).stat().st_size <= package.BUDGET


def test_zip_contains_no_libraries_of_lambda_and_no_unused_files(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names}.isdisjoint(
        {"boto3", "botocore", "cryptography", "tests", "localstack", "bin", "cffi", "pycparser"}
    )


def test_every_native_library_in_the_zip_is_for_arm64(archive: zipfile.ZipFile, names: set[str]) -> None:
    libraries = [archive.read(name) for name in names if name.endswith(".so")]
    assert libraries
    assert {library[18:20] for library in libraries} == {b"\xb7\0"}  # EM_AARCH64


def test_zip_contains_the_metadata_of_packages_that_read_their_version(names: set[str]) -> None:
    owners = {name.partition("-")[0] for name in names if name.endswith(".dist-info/METADATA")}
    assert {"pg8000", "scramp"} <= owners


def test_zip_contains_hash_based_byte_code_of_all_sources(archive: zipfile.ZipFile, names: set[str]) -> None:
    if package.lambda_python() is None:
        assert not [name for name in names if name.endswith(".pyc")]
        return
    sources = [Path(name) for name in names if name.endswith(".py")]
    compiled = {source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc" for source in sources}
    assert {path.as_posix() for path in compiled} <= names
    assert {archive.read(path.as_posix())[4:8] for path in compiled} == {UNCHECKED_HASH}


@pytest.mark.usefixtures("make_package")
def test_same_files_produce_the_same_zip(tmp_path: Path) -> None:
    stage = tmp_path / "lambda"
    zips = []
    for time in (0, 1_700_000_000):
        package.stage_service(stage)
        for path in package.files(stage):
            os.utime(path, (time, time))
        package.write_zip(stage, tmp_path / f"{time}.zip")
        zips.append((tmp_path / f"{time}.zip").read_bytes())
        shutil.rmtree(stage)
    assert zips[0] == zips[1]


def test_library_without_debug_information_still_loads(tmp_path: Path) -> None:
    import sqlalchemy.engine._result_cy as original

    library = Path(str(original.__file__))
    if library.suffix != ".so" or sys.platform != "linux":
        pytest.fail(f"no native library to test: {library}")
    stripped = tmp_path / library.name
    stripped.write_bytes(package.without_debug_information(library.read_bytes()))
    assert stripped.stat().st_size < library.stat().st_size / 2
    code = f"""
import importlib.util, sqlalchemy
spec = importlib.util.spec_from_file_location("sqlalchemy.engine._result_cy", {str(stripped)!r})
importlib.util.module_from_spec(spec)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("make_package")
def test_package_starts_and_migrates(tmp_path: Path) -> None:
    """Build with this machine's wheels, to show that no excluded file is needed."""
    from localstack.postgres import Postgres

    package.stage(tmp_path / "lambda", ("--python", sys.executable))
    lambda_libraries = tmp_path / "runtime"
    lambda_libraries.mkdir()
    for name in package.EXCLUDED - {"pycparser"}:
        found = importlib.util.find_spec(name)
        assert found
        assert found.origin
        (lambda_libraries / name).symlink_to(Path(found.origin).parent)
    modules = [
        function.handler.rpartition(".")[0].replace("/", ".") for function in SERVICE.functions.values()
    ]
    with data_folder("empty") as folder:
        postgres = Postgres(folder / "postgres")
        postgres.start()
        try:
            url = postgres.url
            environment = {"PATH": os.environ["PATH"], "AWS_PGSQL_PATH": url, "JWT_SECRET_KEY": "s" * 32}
            command = [sys.executable, "-S", "-s", "-c", START_PROGRAM]
            arguments = [str(tmp_path / "lambda"), str(lambda_libraries), json.dumps(modules)]
            started = subprocess.run(
                [*command, *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            postgres.stop()
    assert started.returncode == 0, started.stderr
    newest = max(path.stem for path in (ROOT / "migrations" / "versions").glob("*.py")).partition("_")[0]
    assert json.loads(started.stdout.splitlines()[-1]) == [
        newest,
        [[200, None], [200, "br"], [200, "br"], [200, "br"]],
    ]
