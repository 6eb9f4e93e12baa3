"""A copy of the repository, in which the pages' commands run."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from localstack import ports
from tests.support.checkout import check_out
from tests.support.data_folder import data_folder
from tests.support.pages.runner import Reader

URL = "http://localhost:8080"
"""The service's URL in the pages."""


def environment(data: Path, port: int, home: Path) -> dict[str, str]:
    """Return variables with which `make up` and its clients use this port and these folders."""
    return {
        "DATA_DIR": str(data),
        "PORT": str(port),
        "LOCALSTACK_PORT": "0",
        "BATCH_RETRY_SECONDS": "1",
        "RESTCALC_URL": f"http://localhost:{port}",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "HOME": str(home),
        "NO_PROXY": "*",
        "LANG": "C.UTF-8",
    }


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A reader with a checkout of the repository, who starts the service as the pages say."""
    with TemporaryDirectory(prefix="pages-", ignore_cleanup_errors=True) as name, data_folder() as data:
        repository = check_out(Path(name) / "restcalculator")
        port = ports.available(0, "127.0.0.1", "")
        reader = Reader(
            repository, environment(data, port, home=Path(name)), {URL: f"http://localhost:{port}"}
        )
        yield reader
        reader.stop_service()
