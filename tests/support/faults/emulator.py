"""S3 and SQS without the rest of the stack, for a test to stand between."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.environment import ROOT
from localstack import ports
from localstack.children import Child
from localstack.cloud import EDGE_HOST, ministack_environment


@contextmanager
def emulator(folder: Path) -> Iterator[int]:
    """S3 and SQS on a port that only the test knows."""
    port = ports.available(0, EDGE_HOST, "LOCALSTACK_PORT")
    told = ministack_environment(port, folder / "emulator")
    child = Child("s3+sqs", "localstack.emulator", ROOT, {**os.environ, **told}, on_line=lambda line: None)
    try:
        yield port
    finally:
        child.stop()
