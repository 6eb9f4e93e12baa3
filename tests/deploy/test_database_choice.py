"""The database choices that follow from the settings: version, limits of alarms, throttles."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import ROOT
from tests.deploy.conftest import Template

DEPRECATED = "W3691"
"""cfn-lint's rule for an engine version that RDS creates no new instances of."""
UNKNOWN = "E3691"
LINT = ROOT / ".venv-lint"


def choice_for(**settings: str) -> dict[str, Any]:
    """Return the result of resources/database/choice.cjs for these settings."""
    program = "console.log(JSON.stringify(require('./resources/database/choice.cjs')()))"
    done = subprocess.run(
        ["node", "-e", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def lint() -> Path:
    subprocess.run(["make", ".venv-lint/installed"], cwd=ROOT, check=True, capture_output=True)
    return LINT / "bin" / "cfn-lint"


def rules_broken(lint: Path, template: Template, folder: Path) -> dict[str, set[str]]:
    """Return the ids of cfn-lint's rules that each resource of the template breaks."""
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    done = subprocess.run(
        [lint, "--format", "json", "--config-file", os.devnull, "--template", path],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    broken: dict[str, set[str]] = {name: set() for name in template["Resources"]}
    for match in json.loads(done.stdout):
        if match["Location"]["Path"][:1] == ["Resources"]:
            broken[match["Location"]["Path"][1]].add(match["Rule"]["Id"])
    return broken


def test_rds_creates_databases_of_the_templates_version(
    default_template: Template, lint: Path, tmp_path: Path
) -> None:
    """If this fails: cfn-lint also marks a major version once RDS has retired one of its minor versions.

    Check RDS's release calendar. While RDS creates the major version, ignore the rule in .cfnlintrc.
    """
    database = default_template["Resources"]["Database"]
    assert database["Type"] == "AWS::RDS::DBInstance"

    def with_version(version: str) -> dict[str, Any]:
        return {**database, "Properties": {**database["Properties"], "EngineVersion": version}}

    # Only databases, and all in one run, because cfn-lint takes half a minute for the whole template.
    databases = {"Ours": database, "Retired": with_version("17.4"), "Unknown": with_version("18.99")}
    broken = rules_broken(lint, {**default_template, "Resources": databases}, tmp_path)
    assert not {DEPRECATED, UNKNOWN} & broken["Ours"]
    assert DEPRECATED in broken["Retired"]
    assert UNKNOWN in broken["Unknown"]


def test_availability_zones_of_the_setting_are_chosen_for_the_subnets(default_template: Template) -> None:
    choice = choice_for(AVAILABILITY_ZONES="us-east-1d,us-east-1b")
    assert (choice["zoneA"], choice["zoneB"]) == ("us-east-1d", "us-east-1b")
    subnets = [
        default_template["Resources"][name]["Properties"]["AvailabilityZone"]
        for name in ("SubnetA", "SubnetB")
    ]
    assert subnets == [{"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in (0, 1)]


@pytest.mark.parametrize(
    ("instance", "connections", "megabytes"),
    [("", 80, 1024), ("db.t4g.small", 181, 2048), ("db.r7g.2xlarge", 1440, 16384)],
)
def test_alarm_limits_follow_the_connections_and_memory_of_the_class(
    instance: str, connections: int, megabytes: int
) -> None:
    choice = choice_for(DATABASE_CLASS=instance)
    assert choice["connectionsThreshold"] == int(0.8 * connections)
    assert choice["freeMemoryThreshold"] == pytest.approx(0.05 * megabytes * 2**20, abs=1)


RESERVED = 20
COLD_CALL_SECONDS = 1


@pytest.mark.parametrize(
    ("settings", "connections"),
    [
        ({}, 80),
        ({"DATABASE_CLASS": "db.t4g.small"}, 181),
        ({"DATABASE_CLASS": "db.t4g.large"}, 720),
        ({"AWS_PGSQL_PATH": "postgresql://db.example.com"}, 100),
        ({"AWS_PGSQL_PATH": "postgresql://db.example.com", "DATABASE_CONNECTIONS": "30"}, 30),
    ],
)
def test_throttle_limits_cold_calls_to_the_databases_connections(
    settings: dict[str, str], connections: int
) -> None:
    throttle = choice_for(**settings)
    assert throttle["burst"] + throttle["rate"] * COLD_CALL_SECONDS <= connections - RESERVED
    assert min(throttle["burst"], throttle["rate"]) >= 3


def test_throttle_with_a_proxy_follows_the_functions_concurrency() -> None:
    throttle = choice_for(DATABASE_PROXY="true")
    assert (throttle["rate"], throttle["burst"]) == (500, 1000)
