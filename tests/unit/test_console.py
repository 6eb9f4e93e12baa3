"""The pages of a service whose web pages are not built."""

import base64
from pathlib import Path

import pytest

from functions.console import asset, index
from functions.docs import page
from tests.support.lambda_event import event, problem


def test_page_without_a_build_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PAGE", tmp_path / "build" / "console" / "index.html")
    response = index.app(event("GET", "/", headers={"accept-encoding": "br"}), None)
    assert response["statusCode"] == 200
    assert response["headers"]["Cache-Control"] == "no-cache"
    assert "make build/console/index.html" in base64.b64decode(response["body"]).decode()


def test_docs_without_a_build_list_the_routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "build" / "console" / "docs.html")
    response = page.app(event("GET", "/docs", headers={"accept-encoding": "br"}), None)
    assert response["statusCode"] == 200
    html = base64.b64decode(response["body"]).decode()
    assert "make build/console/index.html" in html
    assert "<dt><code>POST /api/v1/process_operation</code></dt><dd>Compute one operation" in html
    assert "{routes}" not in html


def test_file_without_a_build_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset, "FOLDER", tmp_path / "build" / "console" / "assets")
    assert problem(asset.app(event("GET", "/assets/index.js"), None))["status"] == 404
