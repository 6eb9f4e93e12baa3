"""The emulator of S3 and SQS, MiniStack or LocalStack: `python -m localstack.emulator`.

MiniStack identifies a stored queue by its URL, which includes the port. So the stored URL has a fixed port,
whichever port MiniStack listens on. Callers see the real port.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from localstack import lifeline

NAMING_PORT = "4566"
"""The port in the stored URL of a queue."""


def main() -> None:
    lifeline.hold()
    if python := os.environ.get("LOCALSTACK_PYTHON"):
        sys.exit(run_localstack(python))
    run_ministack()


def run_localstack(python: str) -> int:
    """Run LocalStack with its own Python environment until SIGTERM, and return its exit status.

    It runs in its data folder and without PYTHONPATH, because this package has the same name as LocalStack's.
    """
    signal.signal(signal.SIGTERM, lifeline.end_once)
    environment = {
        name: value
        for name, value in os.environ.items()
        # LocalStack's own clients would use AWS_ENDPOINT_URL.
        if name != "PYTHONPATH" and not name.startswith("AWS_")
    }
    command = [python, "-m", "localstack.runtime.main"]
    process = subprocess.Popen(command, cwd=os.environ["FILESYSTEM_ROOT"], env=environment)
    with suppress(KeyboardInterrupt):
        return process.wait()
    process.terminate()
    return process.wait()  # without a timeout: the parent kills both after its grace period


def run_ministack() -> None:
    port = os.environ["GATEWAY_PORT"]
    os.environ["GATEWAY_PORT"] = NAMING_PORT  # the sqs module reads it at import
    from ministack.services import sqs

    os.environ["GATEWAY_PORT"] = port
    load = sqs.load_persisted_state

    def load_and_merge(state: Any) -> None:
        load(state)
        merge_queues(sqs)

    sqs.load_persisted_state = load_and_merge
    from ministack.app import main as serve

    serve()


def merge_queues(sqs: Any) -> None:
    """Merge queues with the same name, including their messages.

    Earlier versions stored one queue for each port on which the emulator had listened.
    """
    for (account, region, url), queue in sqs._queues.all_items():
        kept_url = f"http://{sqs.DEFAULT_HOST}:{sqs.DEFAULT_PORT}/{account}/{queue['name']}"
        if url == kept_url:
            continue
        sqs._queues.pop_scoped(account, region, url, None)
        if kept := sqs._queues.get_scoped(account, region, kept_url):
            kept["messages"] += queue["messages"]
        else:
            sqs._queues.set_scoped(account, region, kept_url, {**queue, "url": kept_url})
    sqs._queue_name_to_url.clear()
    sqs._rebuild_queue_name_index()


if __name__ == "__main__":
    main()
