"""The workflows of GitHub Actions: rules that linters don't check."""

import re
from typing import Any

import pytest
import yaml

from deploy.environment import ROOT, read_dotenv

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
CHOSEN_BY_THE_WORKFLOW = {"CONFIG_TYPE", "STAGE", "PERMISSIONS_BOUNDARY", "ROLLBACK_MINUTES"}


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / name).read_text("utf-8"))["jobs"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_with_its_version(path: Any) -> None:
    used = re.findall(r"uses: (?!\./)(.+)", path.read_text("utf-8"))
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in used), used


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_job_has_permissions_and_a_timeout(path: Any) -> None:
    assert yaml.safe_load(path.read_text("utf-8"))["permissions"] == {}
    for name, job in jobs(path.name).items():
        assert "permissions" in job, name
        assert "timeout-minutes" in job or "uses" in job, name


def test_workflows_contain_no_aws_keys() -> None:
    for path in FILES:
        assert not re.search("ACCESS_KEY|SECRET_KEY_ID|aws-secret", path.read_text("utf-8"), re.I), path.name


def test_ci_runs_on_every_supported_python() -> None:
    test = jobs("ci.yml")["test"]
    assert test["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert ".ci/run" in [step.get("run") for step in test["steps"]]


def test_production_is_deployed_after_staging_and_its_tests() -> None:
    main = jobs("deploy.yml")
    assert main["staging"]["needs"] == "ci"
    assert main["production"]["needs"] == "staging"
    assert main["staging"]["with"]["end-to-end"] is True
    assert main["production"]["with"]["end-to-end"] is False
    assert {main[stage]["with"]["stage"] for stage in ("staging", "production")} == {"staging", "production"}


def test_deploy_job_passes_every_setting() -> None:
    """A setting of .env.example that the workflow does not pass would silently have its default."""
    (deploy,) = (step for step in jobs("deploy-stage.yml")["deploy"]["steps"] if step.get("id") == "deploy")
    given = deploy["env"]
    settings = set(read_dotenv(ROOT / ".env.example"))
    assert settings - set(given) == set(), "give them to `make deploy` in .github/workflows/deploy-stage.yml"
    assert set(given) - settings == set()
    for name, value in given.items():
        if name not in CHOSEN_BY_THE_WORKFLOW:
            assert re.match(rf"\$\{{\{{ (vars|secrets)\.{name}\b", value), value
