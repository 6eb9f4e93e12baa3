"""pyproject.toml defines the version. The changelog and the OpenAPI document must match it."""

import json
import re
import tomllib

from deploy.environment import ROOT


def test_changelog_and_openapi_document_have_the_version_of_pyproject() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    releases = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    document = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    assert version == releases[0] == document["info"]["version"]
