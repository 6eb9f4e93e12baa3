"""webhooks: those of an account, and the local receiver."""

import json
import signal
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from restcalc.cli.exit_codes import ExitCode
from tests.client.cli.test_processes import COMMAND, environment
from tests.client.conftest import Service
from tests.support.command_line.runner import CommandLine
from tests.support.eventually import eventually
from tests.support.webhooks import SECRET

URL = "https://hooks.restcalc.invalid/"


def created(cli: CommandLine, *options: object) -> dict[str, Any]:
    webhook: dict[str, Any] = json.loads(cli("webhooks", "create", URL, *options, "--json").out)
    return webhook


def listed(cli: CommandLine) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli("webhooks", "list", "--json").out.splitlines()]


def test_webhook_is_created_changed_and_deleted(cli: CommandLine) -> None:
    assert cli("webhooks", "create", URL).out.startswith("whsec_")
    (webhook,) = listed(cli)
    assert len(webhook["events"]) == 7
    id = webhook["id"]
    assert cli("webhooks", "update", id, "-e", "balance.low", "--pause").code == 0
    (changed,) = listed(cli)
    assert (changed["events"], changed["paused"], changed["url"]) == (["balance.low"], True, URL)
    nothing = cli("webhooks", "update", id)
    assert (nothing.code, "Say what to change" in nothing.err) == (ExitCode.USAGE, True)
    assert "Add --yes to confirm" in cli("webhooks", "delete", id).err
    assert cli("webhooks", "delete", id, "--yes").code == 0
    assert listed(cli) == []
    assert cli("webhooks", "test", id).code == ExitCode.REFUSED


def test_description_is_changed_and_removed(cli: CommandLine) -> None:
    id = created(cli, "--description", "nightly")["id"]
    for options, description in ((["--description", "daily"], "daily"), (["--no-description"], None)):
        changed = json.loads(cli("webhooks", "update", id, *options, "--json").out)
        assert changed["description"] == description
    both = cli("webhooks", "update", id, "--description", "daily", "--no-description")
    assert (both.code, "not both" in both.err) == (ExitCode.USAGE, True)


def test_secret_is_replaced(cli: CommandLine) -> None:
    webhook = created(cli, "-e", "task.completed", "--description", "nightly")
    assert webhook["description"] == "nightly"
    secret = cli("webhooks", "rotate-secret", webhook["id"]).out.strip()
    assert secret.startswith("whsec_")
    assert secret != webhook["secret"]


def test_deliveries_are_listed_and_sent_again(cli: CommandLine) -> None:
    id = created(cli)["id"]
    sent = json.loads(cli("webhooks", "test", id, "--json").out)
    assert sent["type"] == "webhook.test"

    def attempt() -> str:
        ((_, type, _, _, last, _),) = cli("webhooks", "deliveries", id).rows[1:]
        assert type == "webhook.test"
        return last

    assert " ms)" in eventually(attempt)  # the error of the attempt, because the host does not exist
    again = cli("webhooks", "redeliver", id, sent["id"])
    assert (again.code, "is sent again" in again.out + again.err) == (0, True)
    assert cli("webhooks", "redeliver", id, uuid4()).code == ExitCode.REFUSED
    (row,) = cli("webhooks", "deliveries", id, "--json").out.splitlines()
    assert json.loads(row)["id"] == sent["id"]


@contextmanager
def listening(cli: CommandLine, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `restcalc webhooks listen`. Yield its process and the id of its webhook."""
    command = [*COMMAND, "webhooks", "listen", *options]
    with subprocess.Popen(command, env=environment(cli), stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, eventually(lambda: listed(cli))[0]["id"]
        finally:
            process.kill()


def test_listen_prints_events_and_deletes_its_webhook(cli: CommandLine) -> None:
    with listening(cli, "--limit", "1", "--json") as (process, id):
        assert cli("webhooks", "test", id).code == 0
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    event = json.loads(out)
    assert (event["type"], event["data"]["webhook_id"]) == ("webhook.test", id)
    assert listed(cli) == []


INTERRUPTS = pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])


@INTERRUPTS
def test_listen_deletes_its_webhook_when_it_is_interrupted(cli: CommandLine, name: str) -> None:
    with listening(cli) as (process, _):
        process.send_signal(signal.Signals[name])
        assert process.wait(30) == ExitCode.INTERRUPTED
    assert listed(cli) == []


@INTERRUPTS
def test_listen_deletes_its_webhook_when_its_creation_is_interrupted(
    cli: CommandLine, service: Service, name: str
) -> None:
    waiting = (
        "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE relation = 'webhooks'::regclass AND NOT granted AND query LIKE '%INSERT INTO webhooks %'"
    )
    with subprocess.Popen([*COMMAND, "webhooks", "listen"], env=environment(cli)) as process:
        try:
            service.sql("BEGIN")
            service.sql("LOCK TABLE webhooks IN SHARE MODE")
            # Within a transaction, pg_stat_activity stays as it was at first.
            eventually(lambda: service.sql("SELECT pg_stat_clear_snapshot()") and service.sql(waiting))
            process.send_signal(signal.Signals[name])
            service.sql("COMMIT")
            assert process.wait(30) == ExitCode.INTERRUPTED
        finally:
            process.kill()
            service.sql("ROLLBACK")
    assert service.sql(
        f"SELECT count(w), count(w.deleted_at) FROM webhooks w JOIN users u ON u.id = user_id"
        f" WHERE email = '{cli.email}'"
    ) == [[1, 1]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_listen_receives_the_requests_of_an_existing_webhook(cli: CommandLine) -> None:
    port = free_port()
    hook = json.loads(cli("webhooks", "create", f"http://localhost:{port}/webhooks", "--json").out)
    secret = {"RESTCALC_WEBHOOK_SECRET": hook["secret"]}
    command = [*COMMAND, "webhooks", "listen", "--port", str(port), "--limit", "1"]
    with subprocess.Popen(
        command, env=environment(cli) | secret, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            eventually(lambda: is_listening(port))
            assert cli("webhooks", "test", hook["id"]).code == 0
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "webhook.test" in out
    assert [row["id"] for row in listed(cli)] == [hook["id"]]


def send(port: int, id: str, *, secret: str = SECRET) -> int:
    """Send a signed event, and return the status of the response."""
    moment = datetime.now(UTC)
    body = json.dumps({"type": "webhook.test", "timestamp": moment.isoformat(), "data": {"webhook_id": id}})
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, moment, body),
    }
    return httpx.post(f"http://localhost:{port}/webhooks", content=body, headers=headers).status_code


def test_limit_of_listen_counts_neither_rejected_nor_repeated_requests(cli: CommandLine) -> None:
    port, other = free_port(), f"whsec_{b64encode(b'another secret').decode()}"
    command = [*COMMAND, "webhooks", "listen", "--port", str(port), "--limit", "2"]
    with subprocess.Popen(
        command,
        env=environment(cli) | {"RESTCALC_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            eventually(lambda: is_listening(port))
            eventually(lambda: send(port, "a", secret=other) == 401)  # 503 until it has the secret
            assert [send(port, "a") for _ in range(3)] == [204] * 3
            assert send(port, "b", secret=other) == 401
            assert send(port, "b") == 204
            out, notes = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert [line.rpartition("=")[2] for line in out.splitlines()] == ["a", "b"]
    assert notes.count("Rejected a request") == 2
    assert notes.count("Received webhook.test again") == 2
