"""pyproject.toml defines the version. The changelog and the OpenAPI document must match it."""

import json
import re
import tomllib

from deploy.environment import ROOT


def version_in(path: str) -> str:
    return str(tomllib.loads((ROOT / path).read_text("utf-8"))["project"]["version"])


def test_changelog_openapi_document_and_client_have_the_version_of_pyproject() -> None:
    version = version_in("pyproject.toml")
    releases = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    document = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    assert version == releases[0] == document["info"]["version"] == version_in("client/pyproject.toml")
