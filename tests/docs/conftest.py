"""A copy of the repository, in which the pages' commands run."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from deploy.environment import ROOT
from localstack import ports
from tests.support.data_folder import data_folder
from tests.support.pages.runner import Reader

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", "node_modules", ".data", ".env", "screenshots", "templates", "*.zip"),
    *(".package", ".serverless", ".*_cache", ".hypothesis", ".coverage*"),
)
LINKED = (".venv", "node_modules", "console/node_modules")


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A reader with a checkout of the repository, who starts the service as the pages say."""
    with TemporaryDirectory(prefix="pages-", ignore_cleanup_errors=True) as name, data_folder() as data:
        repository = Path(name) / "restcalculator"
        shutil.copytree(ROOT, repository, ignore=LEFT_OUT)
        for folder in LINKED:
            if (ROOT / folder).exists():
                (repository / folder).symlink_to(ROOT / folder)
        reader = Reader(repository, data, ports.available(0, "127.0.0.1", ""))
        yield reader
        reader.stop_service()
