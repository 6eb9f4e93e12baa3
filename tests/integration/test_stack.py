"""Starting, ending and breaking the offline cloud as a whole."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pg8000.native
import psutil
import pytest

from deploy.environment import ROOT
from localstack.cloud import BUCKET, DEAD_LETTER_QUEUE, QUEUE, Cloud
from localstack.data_folder import DataFolder
from localstack.stack import BATCH, EMULATOR, GATEWAY, SCHEDULE, Stack
from localstack.stack_settings import CannotStart, Settings
from shared.database.url import PostgresUrl
from tests.support.eventually import eventually
from tests.support.offline_service import settings_of


@contextmanager
def cloud_of(stack: Stack) -> Iterator[Cloud]:
    cloud = Cloud.connect(stack.environment)
    try:
        yield cloud
    finally:
        cloud.close()


def processes(folder: Path) -> list[psutil.Process]:
    """Every living process with this data folder in its environment, whatever its parent is now."""
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


class Failing(BaseHTTPRequestHandler):
    """An endpoint that answers 500 to everything."""

    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def delivered(folder: Path) -> str:
    """All events that the stub worker has had."""
    return "".join(file.read_text() for file in (folder / "seen").glob("*.json"))


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


def test_an_endpoint_that_fails_is_named_without_a_traceback(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as failing:
        threading.Thread(target=failing.serve_forever).start()
        endpoint = f"http://127.0.0.1:{failing.server_port}"
        settings = replace(settings_of(tmp_path), endpoint_url=endpoint, start_timeout=1)
        try:
            with pytest.raises(CannotStart, match=rf"(?s){endpoint} can't be used:.*500") as caught:
                Stack(settings).__enter__()
        finally:
            failing.shutdown()
    assert "Traceback" not in str(caught.value)
    assert processes(tmp_path) == []


def test_a_database_that_cannot_be_reached_is_named_without_a_traceback(tmp_path: Path) -> None:
    """With the service's own migrations."""
    port = free_port()
    settings = Settings(port=0, edge_port=0, data_dir=tmp_path / "data")
    settings = replace(settings, database_url=f"postgresql://me:secret@127.0.0.1:{port}/db")
    with pytest.raises(CannotStart, match=f"(?s)can't be migrated:.*127.0.0.1:{port}.*refused") as caught:
        Stack(settings).__enter__()
    assert "Traceback" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_dollar_in_the_folders_name_is_named_since_pg_ctl_accepts_none(tmp_path: Path) -> None:
    folder = tmp_path / "$HOME"
    folder.mkdir()
    with pytest.raises(CannotStart, match=r"no \$ in a path"):
        Stack(settings_of(folder, database=True)).__enter__()


def test_the_folders_name_may_hold_a_space_and_other_characters_of_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "my proj's & 100%"
    folder.mkdir()
    with Stack(settings_of(folder, database=True)) as stack:
        url = PostgresUrl.parse(stack.environment["AWS_PGSQL_PATH"])
        with pg8000.native.Connection(
            "postgres", database=url.database, sock=url.open_socket(5)
        ) as connection:
            assert connection.run("SELECT 1") == [[1]]


def test_a_command_while_the_service_is_down_breaks_no_later_upload(tmp_path: Path) -> None:
    """It starts the service at other ports; queues must not be named by them."""
    settings = settings_of(tmp_path)
    for number in range(3):
        with Stack(settings) as stack, cloud_of(stack) as cloud:
            cloud.s3.put_object(Bucket=BUCKET, Key=f"uploads/{number}.csv", Body=b"1")
            eventually(lambda number=number: f"uploads/{number}.csv" in delivered(tmp_path))
            for name in (QUEUE, DEAD_LETTER_QUEUE):
                assert len(cloud.sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]) == 2 - (name != QUEUE)


def test_make_up_tells_where_and_make_down_ends_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with start_command(settings) as command:
        said = read_until("Ctrl-C", command)
        assert "restcalculator is ready" in said
        assert "Test1234!" in said
        down = start_command(settings, "down")
        assert "stopped" in down.communicate(timeout=20)[0]
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
            assert "Recreated the database" in reset.communicate(timeout=20)[0]
            assert cloud.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=socket_path
        ) as connection:
            assert connection.run("SELECT to_regclass('gone')") == [[None]]
