"""The version stands in pyproject.toml; the changelog and the OpenAPI document agree with it."""

import json
import re
import tomllib

from deploy.environment import ROOT


def test_the_changelogs_newest_release_and_the_document_have_the_projects_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    releases = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    document = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    assert version == releases[0] == document["info"]["version"]
