"""Subsegments: one datagram to the X-Ray daemon for each call of a sampled invocation."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from shared.database.connection import Database
from shared.errors import ServiceUnavailable
from shared.tracing import subsegment, trace_client

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a:0"


class Daemon:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)

    def received(self) -> list[dict[str, Any]]:
        """Return the subsegments received so far. A loopback datagram has arrived when `sendto` returns."""
        found = []
        while True:
            try:
                header, _, document = self.socket.recv(65536).partition(b"\n")
            except BlockingIOError:
                return found
            assert json.loads(header) == {"format": "json", "version": 1}
            found.append(json.loads(document))


@pytest.fixture
def daemon(environment: pytest.MonkeyPatch) -> Iterator[Daemon]:
    daemon = Daemon()
    environment.setenv("AWS_XRAY_DAEMON_ADDRESS", f"127.0.0.1:{daemon.socket.getsockname()[1]}")
    environment.setenv("_X_AMZN_TRACE_ID", SAMPLED)
    yield daemon
    daemon.socket.close()


def test_call_sends_a_remote_subsegment_of_the_invocation(daemon: Daemon) -> None:
    before = time.time()
    with subsegment("postgres", sql={"sanitized_query": "charge"}):
        pass
    (sent,) = daemon.received()
    assert before <= sent.pop("start_time") <= sent.pop("end_time") <= time.time()
    assert len(bytes.fromhex(sent.pop("id"))) == 8
    assert sent == {
        "type": "subsegment",
        "trace_id": ROOT,
        "parent_id": PARENT,
        "name": "postgres",
        "namespace": "remote",
        "fault": False,
        "sql": {"sanitized_query": "charge"},
    }


@pytest.mark.parametrize(
    "header", ["", SAMPLED.replace("=1;L", "=0;L"), "Sampled=1", "Root;Parent;Sampled=1"]
)
def test_unsampled_invocation_sends_no_subsegment(
    daemon: Daemon, environment: pytest.MonkeyPatch, header: str
) -> None:
    environment.setenv("_X_AMZN_TRACE_ID", header)
    with subsegment("postgres"):
        pass
    assert daemon.received() == []


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "nowhere", ""])
def test_unreachable_daemon_does_not_fail_the_call(
    daemon: Daemon, environment: pytest.MonkeyPatch, address: str
) -> None:
    environment.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
    with subsegment("postgres"):
        pass


def test_statement_is_traced_by_its_name_without_its_parameters(daemon: Daemon) -> None:
    with pytest.raises(ServiceUnavailable):
        Database("postgresql://nobody@/nothing?host=/nowhere").query("SELECT :secret", {"secret": "hunter2"})
    (sent,) = daemon.received()
    assert sent["sql"] == {"sanitized_query": "SELECT", "database_type": "PostgreSQL"}
    assert sent["fault"] is True
    assert "hunter2" not in json.dumps(sent)


def traced_client(port: int) -> Any:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    trace_client(client)
    return client


def test_s3_call_that_cannot_connect_is_traced_as_a_fault(daemon: Daemon) -> None:
    with pytest.raises(EndpointConnectionError):
        traced_client(1).head_object(Bucket="b", Key="secret-key")
    (sent,) = daemon.received()
    assert (sent["name"], sent["aws"], sent["fault"]) == ("S3", {"operation": "HeadObject"}, True)
    assert "secret-key" not in json.dumps(sent)


def test_s3_call_with_a_404_response_is_traced_without_a_fault(daemon: Daemon) -> None:
    client = traced_client(1)
    client.meta.events.register_first("before-send", lambda **_: not_found())
    with pytest.raises(ClientError):
        client.head_object(Bucket="b", Key="k")
    (sent,) = daemon.received()
    assert (sent["name"], sent["fault"]) == ("S3", False)


def not_found() -> AWSResponse:
    class Raw:
        def stream(self, *_: object, **__: object) -> Iterator[bytes]:
            return iter([b""])

    return AWSResponse("http://127.0.0.1", 404, {}, Raw())


def test_presigning_a_url_sends_no_subsegment(daemon: Daemon) -> None:
    traced_client(1).generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert daemon.received() == []
