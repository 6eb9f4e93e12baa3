"""The Postman collections pass, on a fresh service and on data of an earlier run, and cover their routes."""

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
from tests.support import contract
from tests.support.declared_routes import SERVICE

FOLDER = ROOT / "postman"
OURS, PREDECESSORS = "restcalculator", "predecessor"
COLLECTIONS = {OURS: 3, PREDECESSORS: 3}
"""Each collection with the number of its requests that sign in by cookie."""
ENVIRONMENT = FOLDER / "local.postman_environment.json"
HOW_TO = ROOT / "docs" / "how-to" / "move-from-the-predecessor.md"


def path_of(collection: str) -> Path:
    return FOLDER / f"{collection}.postman_collection.json"


def requests(collection: str) -> list[dict[str, Any]]:
    return list(_items(json.loads(path_of(collection).read_text("utf-8"))))


def _items(folder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in folder["item"]:
        if "item" in item:
            yield from _items(item)
        else:
            yield item


def script(item: dict[str, Any]) -> str:
    return "\n".join(line for event in item["event"] for line in event["script"]["exec"])


def requested_routes(collection: str) -> set[str]:
    """Return the declared routes that a collection requests."""
    found = set()
    for item in requests(collection):
        address = item["request"]["url"]
        if isinstance(address, dict):  # otherwise it is a presigned URL of S3
            path = address["raw"].removeprefix("{{URL}}").partition("?")[0]
            match = SERVICE.match(item["request"]["method"], re.sub(r"\{\{.*?\}\}", "id", path))
            assert match, item["name"]
            found.add(match.route.key)
    return found


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_newman_runs_the_collection_twice_without_failures(url: str, collection: str, tmp_path: Path) -> None:
    variables = ["--env-var", f"URL={url}", "--env-var", f"admin_password={ADMIN_PASSWORD}"]
    if password := os.environ.get("CLIENT_PASSWORD"):
        variables += ["--env-var", f"client_password={password}"]
    newman = [str(ROOT / "node_modules/.bin/newman"), "run", str(path_of(collection))]
    options = ["--iteration-count", "2", "--color", "off", "--reporter-cli-no-success-assertions"]
    done = subprocess.run(
        [*newman, "--environment", str(ENVIRONMENT), *variables, *options],
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "127.0.0.1,localhost"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_collection_covers_exactly_the_declared_routes() -> None:
    declared = {route.key for route in SERVICE.routes}
    contract.assert_agree(requested_routes(OURS), declared, str(path_of(OURS).relative_to(ROOT)))


def test_predecessors_collection_covers_exactly_the_routes_of_the_how_to() -> None:
    described = {f"{method} {path}" for method, path in contract.routes(HOW_TO.read_text("utf-8"))}
    following = {"GET /api/v1/tasks/{task_id}"}  # the predecessor has no route for the progress of a file
    assert requested_routes(PREDECESSORS) - following == described


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_request_checks_the_status(collection: str) -> None:
    found = requests(collection)
    assert len(found) > 30
    assert [item["name"] for item in found if "to.have.status(" not in script(item)] == []


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_sign_in_stores_its_csrf_token(collection: str) -> None:
    sign_ins = [
        item
        for item in requests(collection)
        if item["request"]["method"] == "POST"
        and item["request"]["url"] != "{{upload_url}}"
        and item["request"]["url"]["path"] in (["login"], ["refresh"])
        and '"token": true' not in item["request"].get("body", {}).get("raw", "")  # a program's
        and "status(200)" in script(item)
    ]
    assert len(sign_ins) >= COLLECTIONS[collection]
    assert all('pm.environment.set("X-CSRF-TOKEN"' in script(item) for item in sign_ins)
