"""The settings of unit tests: complete, with an unreachable database."""

from collections.abc import Iterator

import pytest

from shared.settings import settings

ENVIRONMENT = {
    "AWS_PGSQL_PATH": "postgresql://nobody@/nothing?host=/nowhere",
    "JWT_SECRET_KEY": "a secret of the unit tests, 32 bytes or more",
}
OPTIONAL = (
    "CONFIG_TYPE",
    "JWT_SECRET_KEY_OLD",
    "CLIENT_PASSWORD",
    "ADMIN_PASSWORD",
    "FRONTEND_URL",
    "RANDOM_STRING_API_KEY",
    "ORIGIN_SECRET",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Replace the settings in the environment, and undo the changes after the test."""
    for name in OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()
