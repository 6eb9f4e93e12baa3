"""The Postman collection covers all routes and passes, on a fresh service and on data of an earlier run."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import ROOT
from tests.e2e.conftest import ADMIN_PASSWORD
from tests.support.contract import assert_agree
from tests.support.declared_routes import SERVICE

FOLDER = ROOT / "postman"
COLLECTION = FOLDER / "restcalculator.postman_collection.json"
ENVIRONMENT = FOLDER / "local.postman_environment.json"
NEWMAN = (str(ROOT / "node_modules/.bin/newman"), "run", str(COLLECTION), "--environment", str(ENVIRONMENT))


def items(folder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in folder["item"]:
        if "item" in item:
            yield from items(item)
        else:
            yield item


def script(item: dict[str, Any]) -> str:
    return "\n".join(line for event in item["event"] for line in event["script"]["exec"])


REQUESTS = list(items(json.loads(COLLECTION.read_text("utf-8"))))


@pytest.mark.parametrize("run", ["the first time", "again"])
def test_newman_runs_the_collection_without_failures(url: str, run: str, tmp_path: Path) -> None:
    variables = ["--env-var", f"URL={url}", "--env-var", f"admin_password={ADMIN_PASSWORD}"]
    if password := os.environ.get("CLIENT_PASSWORD"):
        variables += ["--env-var", f"client_password={password}"]
    options = ["--color", "off", "--reporter-cli-no-success-assertions"]
    done = subprocess.run(
        [*NEWMAN, *variables, *options],
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "127.0.0.1,localhost"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_collection_covers_exactly_the_declared_routes() -> None:
    requested = set()
    for item in REQUESTS:
        address = item["request"]["url"]
        if isinstance(address, dict):  # otherwise it is a presigned URL of S3
            path = address["raw"].removeprefix("{{URL}}").partition("?")[0]
            match = SERVICE.match(item["request"]["method"], re.sub(r"\{\{.*?\}\}", "id", path))
            assert match, item["name"]
            requested.add(match.route.key)
    assert_agree(requested, {route.key for route in SERVICE.routes}, str(COLLECTION.relative_to(ROOT)))


@pytest.mark.parametrize("item", REQUESTS, ids=lambda item: str(item["name"]))
def test_every_request_checks_the_status(item: dict[str, Any]) -> None:
    assert "to.have.status(" in script(item)


def test_every_sign_in_stores_its_csrf_token() -> None:
    sign_ins = [
        item
        for item in REQUESTS
        if item["request"]["method"] == "POST"
        and item["request"]["url"] != "{{upload_url}}"
        and item["request"]["url"]["path"] in (["login"], ["refresh"])
        and '"token": true' not in item["request"].get("body", {}).get("raw", "")  # a program's
        and "status(200)" in script(item)
    ]
    assert len(sign_ins) >= 3
    assert all('pm.environment.set("X-CSRF-TOKEN"' in script(item) for item in sign_ins)
