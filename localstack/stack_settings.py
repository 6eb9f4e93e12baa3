"""The settings of the offline cloud."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from deploy.environment import ROOT, read_dotenv
from shared.errors import SettingsError


class CannotStart(Exception):
    """The offline cloud can't start or continue. The message contains the cause and the next step."""


@dataclass(frozen=True)
class Settings:
    """The addresses, folders and queue settings of the offline cloud.

    A port of 0 selects a free one. `variables` are further variables for the functions, from the environment
    and `.env`. `batch_retry`, `batch_visibility` and `start_timeout` are whole seconds.
    """

    host: str = field(default="127.0.0.1", metadata={"variable": "HOST"})
    port: int = field(default=8080, metadata={"variable": "PORT"})
    edge_port: int = field(default=4566, metadata={"variable": "LOCALSTACK_PORT"})
    data_dir: Path = field(default=ROOT / ".data", metadata={"variable": "DATA_DIR"})
    # Read from the environment even without `from_environment`, for the tests of `make test-localstack`.
    localstack_python: str = field(
        default_factory=lambda: os.environ.get("LOCALSTACK_PYTHON", ""),
        metadata={"variable": "LOCALSTACK_PYTHON"},
    )
    endpoint_url: str = field(default="", metadata={"variable": "AWS_ENDPOINT_URL"})
    database_url: str = field(default="", metadata={"variable": "AWS_PGSQL_PATH"})
    gateway_workers: int = field(default=4, metadata={"variable": "GATEWAY_WORKERS"})
    batch_workers: int = field(default=2, metadata={"variable": "BATCH_WORKERS"})
    batch_retry: int = field(default=5, metadata={"variable": "BATCH_RETRY_SECONDS"})
    batch_visibility: int = field(default=30, metadata={"variable": "BATCH_VISIBILITY_SECONDS"})
    start_timeout: int = field(default=30, metadata={"variable": "START_TIMEOUT_SECONDS"})
    service_file: Path = field(default=ROOT / "serverless.yml", metadata={"variable": "SERVICE_FILE"})
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings from the environment, and from `.env` where it has none. Raises: CannotStart."""
        if environment is None:
            try:
                environment = {**read_dotenv(ROOT / ".env"), **os.environ}
            except SettingsError as error:
                raise CannotStart(str(error)) from None
        values = {
            item.name: _read(environment[item.metadata["variable"]], item.metadata["variable"], item.default)
            for item in fields(cls)
            if item.metadata and environment.get(item.metadata["variable"])
        }
        return cls(**values, variables=environment)

    def as_environment(self) -> dict[str, str]:
        """Return the variables from which a child process reads the same settings."""
        return {
            item.metadata["variable"]: str(getattr(self, item.name)) for item in fields(self) if item.metadata
        }


def _read(text: str, variable: str, default: object) -> Any:
    if isinstance(default, Path):
        return Path(text).expanduser().resolve()
    if not isinstance(default, int):
        return text.strip()
    if not text.isascii() or not text.isdigit():
        raise CannotStart(f"{variable} must be a whole number, not {text!r}")
    if variable in ("PORT", "LOCALSTACK_PORT") and int(text) > 65535:
        raise CannotStart(f"{variable} must be a port, at most 65535, not {text}")
    if variable == "GATEWAY_WORKERS" and int(text) < 1:
        raise CannotStart("GATEWAY_WORKERS must be at least 1, or no process handles requests")
    return int(text)
