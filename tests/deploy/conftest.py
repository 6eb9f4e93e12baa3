"""`make package`, run once: what the tests look at."""

import os
import subprocess

import pytest

from localstack.settings import ROOT
from shared.settings import Settings


def bare_environment() -> dict[str, str]:
    """This one without credentials or settings."""
    settings = {name.upper() for name in Settings.model_fields} | {"STAGE", "CONFIRM", "FRONTEND_URL"}
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MAKE")) and name not in settings
    }


@pytest.fixture(scope="session")
def made() -> None:
    done = subprocess.run(
        ["make", "package"],
        cwd=ROOT,
        # The last two are said here so that no .env says otherwise.
        env={
            **bare_environment(),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PGSQL_PATH": "",
            "CONFIG_TYPE": "production",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
