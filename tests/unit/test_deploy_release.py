"""The migration that runs before a deploy."""

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy import release


class Lambda:
    """A stub of Lambda whose migrate function is deployed with `code`, or not at all if None."""

    def __init__(self, code: bytes | None, fails: bool = False, asleep: int = 0) -> None:
        self.code, self.fails, self.asleep, self.calls = code, fails, asleep, list[str]()

    def get_function_configuration(self, FunctionName: str) -> dict[str, str]:
        if self.code is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetFunctionConfiguration")
        return {"CodeSha256": base64.b64encode(hashlib.sha256(self.code).digest()).decode()}

    def update_function_code(self, FunctionName: str, ZipFile: bytes) -> None:
        self.calls.append("update")

    def get_waiter(self, name: str) -> Any:
        return type("Waiter", (), {"wait": lambda self, FunctionName: None})()

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.calls.append("invoke")
        if len(self.calls) <= self.asleep:
            raise ClientError({"Error": {"Code": "ResourceNotReadyException"}}, "Invoke")
        payload = {"errorMessage": "no such table"} if self.fails else {}
        response = {"Payload": io.BytesIO(json.dumps(payload).encode())}
        return {**response, "FunctionError": "Unhandled"} if self.fails else response


@pytest.fixture(autouse=True)
def new_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new.zip").write_bytes(b"new")
    monkeypatch.setattr(release, "ZIP", tmp_path / "new.zip")


@pytest.mark.parametrize(
    ("deployed", "calls"), [(None, []), (b"old", ["update", "invoke"]), (b"new", ["invoke"])]
)
def test_migrate_first_updates_old_code_and_skips_an_undeployed_function(
    deployed: bytes | None, calls: list[str]
) -> None:
    lambda_ = Lambda(deployed)
    release.migrate_first(lambda_, "migrate", serves=lambda: True)
    assert lambda_.calls == calls


def test_failed_migration_stops_the_deploy_while_the_old_version_is_healthy() -> None:
    with pytest.raises(SystemExit, match=r"keeps serving\. no such table"):
        release.migrate_first(Lambda(b"old", fails=True), "migrate", serves=lambda: True)


def test_failed_migration_does_not_stop_the_deploy_of_an_unhealthy_service() -> None:
    release.migrate_first(Lambda(b"old", fails=True), "migrate", serves=lambda: False)


def test_migrate_retries_until_an_inactive_function_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "ACTIVATION_RETRY_SECONDS", 0)
    lambda_ = Lambda(b"new", asleep=3)
    assert release.migrate(lambda_, "migrate") == "{}"
    assert lambda_.calls == ["invoke"] * 4


def test_migrate_fails_if_the_function_never_becomes_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "ACTIVATION_TIMEOUT_SECONDS", 0)
    monkeypatch.setattr(release, "ACTIVATION_RETRY_SECONDS", 0)
    with pytest.raises(release.MigrationFailed, match="ResourceNotReadyException"):
        release.migrate(Lambda(b"new", asleep=1_000_000), "migrate")


def test_health_is_false_for_a_response_that_is_not_the_services(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release.urllib.request, "urlopen", lambda url, timeout: io.BytesIO(b"<html>"))
    assert not release.health("https://api.example.com")
    assert "health: " in capsys.readouterr().out


def test_log_retention_is_set_whether_or_not_the_log_groups_exist() -> None:
    class Exists(Exception):
        pass

    class Logs:
        exceptions = type("Exceptions", (), {"ResourceAlreadyExistsException": Exists})

        def __init__(self) -> None:
            self.days = dict[str, int]()

        def create_log_group(self, logGroupName: str) -> None:
            if logGroupName.endswith("/postgresql"):
                raise Exists

        def put_retention_policy(self, logGroupName: str, retentionInDays: int) -> None:
            self.days[logGroupName] = retentionInDays

    logs = Logs()
    release.limit_log_retention(logs, "db-1")
    assert logs.days == {f"/aws/rds/instance/db-1/{kind}": 30 for kind in ("postgresql", "upgrade")}
