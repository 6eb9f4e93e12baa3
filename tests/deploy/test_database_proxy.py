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
"""Functions whose statements may take longer than a call's."""
PROXY = {"Fn::GetAtt": ["DatabaseProxy", "Endpoint"]}
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def resources(proxied: Template) -> Resources:
    found: Resources = proxied["Resources"]
    return found


def properties(resources: Resources, name: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[name]["Properties"]
    return found


def urls(resources: Resources) -> dict[str, str]:
    """The database's URL of each function, by its handler, as text."""
    functions = (one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::Function")
    return {
        function["Handler"]: json.dumps(function["Environment"]["Variables"]["AWS_PGSQL_PATH"])
        for function in functions
    }


def test_the_api_connects_through_the_proxy_and_the_long_running_functions_do_not(
    resources: Resources,
) -> None:
    through = {handler for handler, url in urls(resources).items() if json.dumps(PROXY) in url}
    assert set(urls(resources)) - through == DIRECT
    assert {handler for handler, url in urls(resources).items() if "?proxy=true" in url} == through


def test_without_the_setting_there_is_no_proxy(own: Template, given: Template) -> None:
    for template in (own, given):
        assert "Proxy" not in json.dumps(template["Resources"])
        assert "proxy=true" not in json.dumps(template["Resources"])


def test_the_proxy_reads_the_secret_of_the_database_and_nothing_else(resources: Resources) -> None:
    (policy,) = properties(resources, "DatabaseProxyRole")["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "DatabaseSecret"}}
    ]
    (auth,) = properties(resources, "DatabaseProxy")["Auth"]
    assert auth["SecretArn"] == {"Ref": "DatabaseSecret"}


def test_the_proxy_demands_tls_and_only_the_functions_reach_it(resources: Resources) -> None:
    proxy = properties(resources, "DatabaseProxy")
    assert proxy["RequireTLS"] is True
    assert proxy["VpcSecurityGroupIds"] == [{"Ref": "DatabaseProxySecurityGroup"}]
    (ingress,) = properties(resources, "DatabaseProxySecurityGroup")["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == {"Ref": "FunctionsSecurityGroup"}
    to_database = properties(resources, "DatabaseFromProxy")
    assert to_database["GroupId"] == {"Ref": "DatabaseSecurityGroup"}
    assert to_database["SourceSecurityGroupId"] == {"Ref": "DatabaseProxySecurityGroup"}


def test_the_pool_leaves_connections_for_the_direct_functions_and_ends_slow_statements(
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


def test_the_database_closes_no_connection_of_the_proxy(resources: Resources, own: Template) -> None:
    parameter = "idle_session_timeout"
    assert properties(resources, "DatabaseParameters")["Parameters"][parameter] == "0"
    assert properties(own["Resources"], "DatabaseParameters")["Parameters"][parameter] == "60000"


def test_pinned_sessions_raise_an_alarm(resources: Resources) -> None:
    alarm = properties(resources, "DatabasePinnedAlarm")
    assert alarm["MetricName"] == "DatabaseConnectionsCurrentlySessionPinned"
    assert alarm["Dimensions"] == [{"Name": "ProxyName", "Value": {"Ref": "DatabaseProxy"}}]
    assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]
