"""Starting, ending and breaking the offline cloud as a whole."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pg8000.native
import psutil
import pytest

from localstack.cloud import BUCKET, Cloud
from localstack.datafolder import DataFolder
from localstack.settings import ROOT, CannotStart, Settings
from localstack.stack import BATCH, EMULATOR, GATEWAY, SCHEDULE, Stack
from tests.eventually import eventually
from tests.integration.offline_service import settings_of


@contextmanager
def cloud_of(stack: Stack) -> Iterator[Cloud]:
    cloud = Cloud.connect(stack.environment)
    try:
        yield cloud
    finally:
        cloud.close()


def processes(folder: Path) -> list[psutil.Process]:
    """Every living process that was told of this data folder, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            told = process.environ().get("DATA_DIR") == str(folder / "data")
            if (told or str(folder) in " ".join(process.cmdline())) and process.status() != "zombie":
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for process in found if process.pid != os.getpid()]


def start_command(settings: Settings, action: str = "up") -> "subprocess.Popen[str]":
    port, edge_port = free_port(), free_port()
    told = {**os.environ, **replace(settings, port=port, edge_port=edge_port).as_environment()}
    return subprocess.Popen(
        [sys.executable, "-m", "localstack.run", action],
        cwd=ROOT,
        env=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def read_until(text: str, command: "subprocess.Popen[str]") -> str:
    assert command.stdout is not None
    read = ""
    for line in command.stdout:
        read += line
        if text in line:
            return read
    raise AssertionError(f"it ended without saying {text!r}:\n{read}")


def test_data_survives_and_no_process_does(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database=True)
    with Stack(settings) as stack:
        database = stack.environment["AWS_PGSQL_PATH"]
        folder = database.partition("?host=")[2]
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=f"{folder}/.s.PGSQL.5432"
        ) as connection:
            connection.run("CREATE TABLE kept AS SELECT 1 AS one")
        with cloud_of(stack) as cloud:
            cloud.s3.put_object(Bucket=BUCKET, Key="kept", Body=b"1")
        key = stack.environment["JWT_SECRET_KEY"]
        with httpx.Client() as client:  # kept alive to the end
            assert client.get(f"{stack.url}/echo").status_code == 200
            assert len(processes(tmp_path)) >= 8
    assert processes(tmp_path) == []
    assert (tmp_path / "data" / "jwt_secret_key").stat().st_mode & 0o777 == 0o600

    with Stack(settings) as again:
        assert (again.environment["AWS_PGSQL_PATH"], again.environment["JWT_SECRET_KEY"]) == (database, key)
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=f"{folder}/.s.PGSQL.5432"
        ) as connection:
            assert connection.run("SELECT one FROM kept") == [[1]]
        with cloud_of(again) as cloud:
            assert cloud.s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"1"


@pytest.mark.parametrize("variable", ["PORT", "LOCALSTACK_PORT"])
def test_a_taken_port_is_named_with_its_setting_and_nothing_is_started(tmp_path: Path, variable: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        settings = settings_of(tmp_path)
        settings = replace(settings, port=port) if variable == "PORT" else replace(settings, edge_port=port)
        with pytest.raises(CannotStart, match=f"Port {port} .*{variable}="), Stack(settings):
            pass
    assert processes(tmp_path) == []


def test_a_second_one_in_the_same_folder_says_that_it_is_running(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    folder = DataFolder(settings.data_dir)
    with folder.locked():
        assert folder.owner() == os.getpid()
        with pytest.raises(CannotStart, match=f"already running .process {os.getpid()}"), Stack(settings):
            pass
    assert folder.owner() is None


@pytest.mark.parametrize("part", [GATEWAY, BATCH, SCHEDULE, EMULATOR])
def test_the_part_that_dies_is_named_and_no_process_stays(tmp_path: Path, part: str) -> None:
    with Stack(settings_of(tmp_path)) as stack:
        assert stack.wait(timeout=0) == ""
        stack.kill(part)
        assert stack.wait(timeout=10) == part
    assert processes(tmp_path) == []


def test_a_migration_that_fails_ends_everything_and_says_why(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "migrations" / "handler.py").write_text(
        "def handler(event, context): raise OSError('no disk')"
    )
    with pytest.raises(CannotStart, match=r"(?s)can't be migrated.*no disk"), Stack(settings):
        pass
    assert processes(tmp_path) == []


def test_an_endpoint_that_does_not_answer_is_named(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    settings = replace(settings_of(tmp_path), endpoint_url=endpoint, start_timeout=1)
    with pytest.raises(CannotStart, match=endpoint), Stack(settings):
        pass
    assert processes(tmp_path) == []


def test_make_up_tells_where_and_make_down_ends_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with start_command(settings) as command:
        said = read_until("Ctrl-C", command)
        assert "restcalculator is ready" in said
        assert "Test1234!" in said
        down = start_command(settings, "down")
        assert "ended" in down.communicate(timeout=20)[0]
        assert (command.wait(20), down.returncode) == (0, 0)
    assert processes(tmp_path) == []


def test_nothing_outlives_a_killed_make_up(tmp_path: Path) -> None:
    with start_command(settings_of(tmp_path)) as command:
        read_until("Ctrl-C", command)
        command.send_signal(signal.SIGKILL)
    eventually(lambda: processes(tmp_path) == [])


def test_build_local_db_makes_all_anew_beside_the_running_service(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database=True)
    with Stack(settings) as stack:
        folder = stack.environment["AWS_PGSQL_PATH"].partition("?host=")[2]
        socket_path = f"{folder}/.s.PGSQL.5432"
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=socket_path
        ) as connection:
            connection.run("CREATE TABLE gone AS SELECT 1 AS one")
        with cloud_of(stack) as cloud:
            cloud.s3.put_object(Bucket=BUCKET, Key="gone", Body=b"1")
            reset = start_command(stack.settings, "reset-db")
            assert "made anew" in reset.communicate(timeout=20)[0]
            assert cloud.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=socket_path
        ) as connection:
            assert connection.run("SELECT to_regclass('gone')") == [[None]]
