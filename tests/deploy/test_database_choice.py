"""What the settings choose for the stack's own database: its version, and what follows from its class."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.environment import ROOT
from tests.deploy.conftest import Template

DEPRECATED = "W3691"
"""cfn-lint's rule: RDS creates no new instance of this engine version."""
UNKNOWN = "E3691"
LINT = ROOT / ".venv-lint"


def chosen(**settings: str) -> dict[str, Any]:
    """What resources/database/choice.cjs makes of the settings."""
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


def rules_broken(lint: Path, template: Template, folder: Path) -> set[str]:
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    done = subprocess.run(
        [lint, "--format", "json", "--config-file", os.devnull, "--template", path],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return {match["Rule"]["Id"] for match in json.loads(done.stdout)}


def test_rds_creates_new_databases_of_the_version_that_the_template_names(
    own: Template, lint: Path, tmp_path: Path
) -> None:
    """When it fails: cfn-lint also marks a major version alone once RDS retires one minor of it.

    Then look at RDS's release calendar. While RDS creates the major version, ignore the rule in .cfnlintrc.
    """
    database = own["Resources"]["Database"]

    def broken(properties: dict[str, Any]) -> set[str]:
        # Only the database: cfn-lint takes half a minute for the whole template.
        alone = {**own, "Resources": {"Database": {**database, "Properties": properties}}}
        return rules_broken(lint, alone, tmp_path)

    assert database["Type"] == "AWS::RDS::DBInstance"
    assert not {DEPRECATED, UNKNOWN} & broken(database["Properties"])
    for version, rule in (("17.4", DEPRECATED), ("18.99", UNKNOWN)):
        assert rule in broken({**database["Properties"], "EngineVersion": version})


def test_the_zones_of_the_setting_are_those_of_the_subnets(own: Template) -> None:
    settled = chosen(AVAILABILITY_ZONES="us-east-1d,us-east-1b")
    assert (settled["zoneA"], settled["zoneB"]) == ("us-east-1d", "us-east-1b")
    subnets = [own["Resources"][name]["Properties"]["AvailabilityZone"] for name in ("SubnetA", "SubnetB")]
    assert subnets == [{"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in (0, 1)]


@pytest.mark.parametrize(
    ("instance", "connections", "megabytes"),
    [("", 80, 1024), ("db.t4g.small", 181, 2048), ("db.r7g.2xlarge", 1440, 16384)],
)
def test_alarms_follow_what_an_instance_of_the_class_really_has(
    instance: str, connections: int, megabytes: int
) -> None:
    settled = chosen(DATABASE_CLASS=instance)
    assert settled["manyConnections"] == int(0.8 * connections)
    assert settled["littleMemory"] == pytest.approx(0.05 * megabytes * 2**20, abs=1)


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
def test_a_burst_of_cold_calls_opens_no_more_connections_than_the_database_accepts(
    settings: dict[str, str], connections: int
) -> None:
    throttle = chosen(**settings)
    assert throttle["burst"] + throttle["rate"] * COLD_CALL_SECONDS <= connections - RESERVED
    assert min(throttle["burst"], throttle["rate"]) >= 3


def test_behind_the_proxy_the_api_accepts_what_the_functions_can_serve() -> None:
    throttle = chosen(DATABASE_PROXY="true")
    assert (throttle["rate"], throttle["burst"]) == (500, 1000)
