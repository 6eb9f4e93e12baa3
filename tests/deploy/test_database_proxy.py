"""The stack with `DATABASE_PROXY=true`: RDS Proxy between the API and its database."""

import json
from typing import Any

import pytest

from shared.database.connection import STATEMENT_TIMEOUT
from tests.deploy.conftest import Template

DIRECT = {
    "worker/handler.handler",
    "functions/housekeeping/expire.handler",
    "functions/housekeeping/audit.handler",
    "migrations/handler.handler",
}
"""Functions with statements that may exceed the statement timeout of a request."""
PROXY = {"Fn::GetAtt": ["DatabaseProxy", "Endpoint"]}
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def resources(proxy_template: Template) -> Resources:
    found: Resources = proxy_template["Resources"]
    return found


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def urls(resources: Resources) -> dict[str, str]:
    """Return the database URL of each function that has one as text, by its handler."""
    functions = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::Function"]
    found = {one["Handler"]: one["Environment"]["Variables"]["AWS_PGSQL_PATH"] for one in functions}
    return {handler: json.dumps(url) for handler, url in found.items() if url}


def test_only_the_long_running_functions_bypass_the_proxy(
    resources: Resources,
) -> None:
    through = {handler for handler, url in urls(resources).items() if json.dumps(PROXY) in url}
    assert set(urls(resources)) - through == DIRECT
    assert {handler for handler, url in urls(resources).items() if "?proxy=true" in url} == through


def test_templates_without_the_setting_have_no_proxy(
    default_template: Template, external_template: Template
) -> None:
    for template in (default_template, external_template):
        assert "Proxy" not in json.dumps(template["Resources"])
        assert "proxy=true" not in json.dumps(template["Resources"])


def test_proxy_may_read_only_the_database_secret(resources: Resources) -> None:
    (policy,) = properties(resources, "DatabaseProxyRole")["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "DatabaseSecret"}}
    ]
    (auth,) = properties(resources, "DatabaseProxy")["Auth"]
    assert auth["SecretArn"] == {"Ref": "DatabaseSecret"}


def test_proxy_requires_tls_and_is_reachable_only_from_the_functions(resources: Resources) -> None:
    proxy = properties(resources, "DatabaseProxy")
    assert proxy["RequireTLS"] is True
    assert proxy["VpcSecurityGroupIds"] == [{"Ref": "DatabaseProxySecurityGroup"}]
    (ingress,) = properties(resources, "DatabaseProxySecurityGroup")["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == {"Ref": "FunctionsSecurityGroup"}
    to_database = properties(resources, "DatabaseFromProxy")
    assert to_database["GroupId"] == {"Ref": "DatabaseSecurityGroup"}
    assert to_database["SourceSecurityGroupId"] == {"Ref": "DatabaseProxySecurityGroup"}


def test_pool_reserves_connections_for_direct_functions_and_limits_statements(
    resources: Resources,
) -> None:
    targets = properties(resources, "DatabaseProxyTargets")
    assert targets["DBInstanceIdentifiers"] == [{"Ref": "Database"}]
    pool = targets["ConnectionPoolConfigurationInfo"]
    assert 80 * (100 - pool["MaxConnectionsPercent"]) / 100 >= 20
    assert pool["InitQuery"] == f"SET statement_timeout = {STATEMENT_TIMEOUT * 1000:.0f}"
    timeouts = {
        one["Properties"]["Timeout"] for one in resources.values() if one["Type"] == "AWS::Lambda::Function"
    }
    assert pool["ConnectionBorrowTimeout"] + STATEMENT_TIMEOUT <= min(timeouts)


def test_database_never_closes_idle_connections_of_the_proxy(
    resources: Resources, default_template: Template
) -> None:
    parameter = "idle_session_timeout"
    assert properties(resources, "DatabaseParameters")["Parameters"][parameter] == "0"
    assert properties(default_template["Resources"], "DatabaseParameters")["Parameters"][parameter] == "60000"


def test_pinned_sessions_raise_an_alarm(resources: Resources) -> None:
    alarm = properties(resources, "DatabasePinnedAlarm")
    assert alarm["MetricName"] == "DatabaseConnectionsCurrentlySessionPinned"
    assert alarm["Dimensions"] == [{"Name": "ProxyName", "Value": {"Ref": "DatabaseProxy"}}]
    assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]
