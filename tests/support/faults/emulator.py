"""S3 and SQS without the rest of the stack, so that a test can put a proxy before them."""

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
    """Run S3 and SQS, and yield their port."""
    port = ports.available(0, EDGE_HOST, "LOCALSTACK_PORT")
    environment = {**os.environ, **ministack_environment(port, folder / "emulator")}
    child = Child("s3+sqs", "localstack.emulator", ROOT, environment, on_line=lambda line: None)
    try:
        yield port
    finally:
        child.stop()
