"""Starting, stopping and breaking the offline cloud as a whole."""

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
from localstack.cloud import BUCKET, DEAD_LETTER_QUEUE, QUEUES, WEBHOOK_DEAD_LETTER_QUEUE, Cloud
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
    """Return every live process with this folder in its environment or command, or that works in it."""
    found = []
    for process in psutil.process_iter():
        try:
            command, variables = " ".join(process.cmdline()), process.environ()
            if (
                variables.get("DATA_DIR") == str(folder / "data")
                or str(folder) in command
                or Path(process.cwd()).is_relative_to(folder)
            ) and process.status() != "zombie":
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for process in found if process.pid != os.getpid()]


def start_command(settings: Settings, action: str = "up") -> "subprocess.Popen[str]":
    port, edge_port = free_port(), free_port()
    environment = {**os.environ, **replace(settings, port=port, edge_port=edge_port).as_environment()}
    return subprocess.Popen(
        [sys.executable, "-m", "localstack.run", action],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class Failing(BaseHTTPRequestHandler):
    """An endpoint that responds to every request with 500."""

    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def delivered(folder: Path) -> str:
    """Return all events that the stub worker received."""
    return "".join(file.read_text() for file in (folder / "received").glob("*.json"))


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
    raise AssertionError(f"the command ended without printing {text!r}:\n{read}")


def test_stop_keeps_the_data_and_ends_all_processes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database=True)
    with Stack(settings) as stack:
        database = stack.environment["AWS_PGSQL_PATH"]
        folder = database.partition("?host=")[2]
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=f"{folder}/.s.PGSQL.5432", ssl_context=False
        ) as connection:
            connection.run("CREATE TABLE kept AS SELECT 1 AS one")
        with cloud_of(stack) as cloud:
            cloud.s3.put_object(Bucket=BUCKET, Key="kept", Body=b"1")
        key = stack.environment["JWT_SECRET_KEY"]
        with httpx.Client(verify=False) as client:  # its connection stays open until the stack stops
            assert client.get(f"{stack.url}/echo").status_code == 200
            assert len(processes(tmp_path)) >= 8
    assert processes(tmp_path) == []
    assert (tmp_path / "data" / "jwt_secret_key").stat().st_mode & 0o777 == 0o600

    with Stack(settings) as again:
        assert (again.environment["AWS_PGSQL_PATH"], again.environment["JWT_SECRET_KEY"]) == (database, key)
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=f"{folder}/.s.PGSQL.5432", ssl_context=False
        ) as connection:
            assert connection.run("SELECT one FROM kept") == [[1]]
        with cloud_of(again) as cloud:
            assert cloud.s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"1"


@pytest.mark.parametrize("variable", ["PORT", "LOCALSTACK_PORT"])
def test_port_in_use_is_named_with_its_setting_and_nothing_starts(tmp_path: Path, variable: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = int(listener.getsockname()[1])
        settings = settings_of(tmp_path)
        settings = replace(settings, port=port) if variable == "PORT" else replace(settings, edge_port=port)
        with pytest.raises(CannotStart, match=f"Port {port} .*{variable}="), Stack(settings):
            pass
    assert processes(tmp_path) == []


def test_second_stack_in_the_same_folder_fails_with_the_process_id(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    folder = DataFolder(settings.data_dir)
    with folder.locked():
        assert folder.owner() == os.getpid()
        with pytest.raises(CannotStart, match=f"already running .process {os.getpid()}"), Stack(settings):
            pass
    assert folder.owner() is None


@pytest.mark.parametrize("part", [GATEWAY, BATCH, SCHEDULE, EMULATOR])
def test_dead_part_is_named_and_all_processes_end(tmp_path: Path, part: str) -> None:
    with Stack(settings_of(tmp_path)) as stack:
        assert stack.wait(timeout=0) == ""
        stack.kill(part)
        assert stack.wait(timeout=60) == part
    assert processes(tmp_path) == []


def test_failed_migration_stops_the_stack_with_its_reason(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "migrations" / "handler.py").write_text(
        "def handler(event, context): raise OSError('no disk')"
    )
    with pytest.raises(CannotStart, match=r"(?s)can't be migrated.*no disk"), Stack(settings):
        pass
    assert processes(tmp_path) == []


def test_unreachable_endpoint_is_named(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    settings = replace(settings_of(tmp_path), endpoint_url=endpoint, start_timeout=1)
    with pytest.raises(CannotStart, match=endpoint), Stack(settings):
        pass
    assert processes(tmp_path) == []


def test_failing_endpoint_is_named_without_a_traceback(tmp_path: Path) -> None:
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


def test_unreachable_database_is_named_without_a_traceback_and_password(tmp_path: Path) -> None:
    """Use the service's own migrations."""
    port = free_port()
    settings = Settings(port=0, edge_port=0, data_dir=tmp_path / "data")
    settings = replace(settings, database_url=f"postgresql://me:secret@127.0.0.1:{port}/db")
    with pytest.raises(CannotStart, match=f"(?s)can't be migrated:.*127.0.0.1:{port}.*refused") as caught:
        Stack(settings).__enter__()
    assert "Traceback" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_dollar_in_the_path_is_rejected_because_pg_ctl_expands_it(tmp_path: Path) -> None:
    folder = tmp_path / "$HOME"
    folder.mkdir()
    with pytest.raises(CannotStart, match=r"no \$ in a path"):
        Stack(settings_of(folder, database=True)).__enter__()


def test_path_may_contain_spaces_and_shell_characters(tmp_path: Path) -> None:
    folder = tmp_path / "my proj's & 100%"
    folder.mkdir()
    with Stack(settings_of(folder, database=True)) as stack:
        url = PostgresUrl.parse(stack.environment["AWS_PGSQL_PATH"])
        with pg8000.native.Connection(
            "postgres", database=url.database, sock=url.open_socket(5), ssl_context=False
        ) as connection:
            assert connection.run("SELECT 1") == [[1]]


def test_restarts_on_other_ports_do_not_break_later_uploads(tmp_path: Path) -> None:
    """A command starts the stopped service on other ports, so the queues must not be named by ports."""
    settings = settings_of(tmp_path)
    for number in range(3):
        with Stack(settings) as stack, cloud_of(stack) as cloud:
            cloud.s3.put_object(Bucket=BUCKET, Key=f"uploads/{number}.csv", Body=b"1")
            eventually(lambda number=number: f"uploads/{number}.csv" in delivered(tmp_path))
            urls = cloud.sqs.list_queues()["QueueUrls"]
            expected = {*QUEUES.values(), DEAD_LETTER_QUEUE, WEBHOOK_DEAD_LETTER_QUEUE}
            assert sorted(url.rpartition("/")[2] for url in urls) == sorted(expected)


def test_make_up_prints_its_addresses_and_make_down_stops_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    with start_command(settings) as command:
        output = read_until("Ctrl-C", command)
        assert "restcalculator is ready" in output
        assert "Test1234!" in output
        down = start_command(settings, "down")
        assert "stopped" in down.communicate(timeout=60)[0]
        assert (command.wait(60), down.returncode) == (0, 0)
    assert processes(tmp_path) == []


def test_killed_make_up_leaves_no_process(tmp_path: Path) -> None:
    with start_command(settings_of(tmp_path)) as command:
        read_until("Ctrl-C", command)
        command.send_signal(signal.SIGKILL)
    eventually(lambda: processes(tmp_path) == [])


def test_reset_db_recreates_database_and_bucket_while_the_service_runs(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, database=True)
    with Stack(settings) as stack:
        folder = stack.environment["AWS_PGSQL_PATH"].partition("?host=")[2]
        socket_path = f"{folder}/.s.PGSQL.5432"
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=socket_path, ssl_context=False
        ) as connection:
            connection.run("CREATE TABLE gone AS SELECT 1 AS one")
        with cloud_of(stack) as cloud:
            cloud.s3.put_object(Bucket=BUCKET, Key="gone", Body=b"1")
            reset = start_command(stack.settings, "reset-db")
            assert "Recreated the database" in reset.communicate(timeout=60)[0]
            assert cloud.s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
        with pg8000.native.Connection(
            "postgres", database="restcalculator", unix_sock=socket_path, ssl_context=False
        ) as connection:
            assert connection.run("SELECT to_regclass('gone')") == [[None]]
