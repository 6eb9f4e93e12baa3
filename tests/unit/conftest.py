"""The settings of unit tests: complete, and of a database that is nowhere."""

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
    """Nothing of the environment that the tests run in; undone with the settings read from it."""
    for name in OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()
