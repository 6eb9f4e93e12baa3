"""Send X-Ray subsegments for a function's calls to Postgres, S3 and SQS.

Lambda writes the segment of an invocation and runs the X-Ray daemon beside the function. This module sends
the daemon one UDP datagram for each call, as the AWS X-Ray Developer Guide defines in "X-Ray segment
documents" and "Sending trace data to X-Ray". The X-Ray SDK does the same, but it imports botocore, which
takes longer than all other imports of a function without S3 or SQS.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_HEADER = b'{"format": "json", "version": 1}\n'


@contextmanager
def subsegment(name: str, **members: Any) -> Iterator[None]:
    """Trace the block as one call, if this invocation is sampled.

    Args:
        name: the called service.
        members: further members of the subsegment. Never a parameter or a result of the call.
    """
    if (trace := _sampled_trace()) is None:
        yield
        return
    started, fault = time.time(), True
    try:
        yield
        fault = False
    finally:
        _send(trace, name, started, fault=fault, **members)


def trace_client(client: Any) -> None:
    """Trace each call of a boto3 client, its retries included."""

    def started(model: Any, context: dict[str, Any], **_: Any) -> None:
        context["traced_call"] = (model.service_model.service_id, time.time(), model.name)

    def ended(context: dict[str, Any], http_response: Any = None, **_: Any) -> None:
        if (trace := _sampled_trace()) is not None:
            name, started_at, operation = context["traced_call"]
            fault = http_response is None or http_response.status_code >= 500
            _send(trace, name, started_at, fault=fault, aws={"operation": operation})

    client.meta.events.register("before-call", started)
    client.meta.events.register("after-call", ended)
    client.meta.events.register("after-call-error", ended)


def _sampled_trace() -> dict[str, str] | None:
    """Return the parts of the trace header, or None if the invocation is not sampled or has no daemon."""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    if "Sampled=1" not in header or "AWS_XRAY_DAEMON_ADDRESS" not in os.environ:
        return None
    parts = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    return parts if {"Root", "Parent"} <= parts.keys() else None


def _send(trace: dict[str, str], name: str, started: float, **members: Any) -> None:
    document = {
        "type": "subsegment",
        "id": os.urandom(8).hex(),
        "trace_id": trace["Root"],
        "parent_id": trace["Parent"],
        "name": name,
        "namespace": "remote",
        "start_time": started,
        "end_time": time.time(),
        **members,
    }
    host, _, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].rpartition(":")
    # A trace that can't be sent must not fail the call that it describes.
    with suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.setblocking(False)
        daemon.sendto(_HEADER + json.dumps(document).encode(), (host, int(port)))
