"""The role of GitHub Actions may deploy every resource of the templates, in its own stage only."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from deploy.environment import ROOT
from tests.deploy.conftest import BOUNDARY, Template
from tests.support import iam
from tests.support.aws_permissions import BUCKET, DIRECT, NEEDED, QUEUE, ROLE, SECRET, A

PATH = ROOT / "deploy" / "github_role.yml"
POLICY_LIMIT = 6144
"""IAM's quota for the characters of a managed policy."""
SCRIPTS = {path.stem for path in PATH.parent.glob("*.py")} - {"remove", "redrive"}
"""The scripts that the pipeline runs. It neither removes a stack nor redrives messages."""
SERVICES = ("cloudformation", "cloudwatch", "ec2", "lambda", "logs", "rds", "secretsmanager")
ARNS = {"Bucket": BUCKET, "WorkQueue": QUEUE, "DeadLetterQueue": f"{QUEUE}-dlq", "DatabaseSecret": SECRET}
ARNS |= {f"{name.title()}Queue": f"{QUEUE}-{name}" for name in ("dispatch", "send", "report")}
ROLES, POLICIES = (f"arn:aws:iam::123456789012:{kind}" for kind in ("role", "policy"))
SECRETS = f"arn:aws:secretsmanager:{A}:secret:"
Statements = list[dict[str, Any]]


@pytest.fixture(scope="module")
def resources() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = iam.load(PATH)["Resources"]
    return found


@pytest.fixture(scope="module")
def boundary(resources: dict[str, dict[str, Any]]) -> Statements:
    return policy(resources, "Boundary")


@pytest.fixture(scope="module")
def statements(resources: dict[str, dict[str, Any]]) -> Statements:
    attached = resources["Role"]["Properties"]["ManagedPolicyArns"]
    return [one for name in attached for one in policy(resources, name["Ref"])]


def policy(resources: dict[str, dict[str, Any]], name: str) -> Statements:
    document = resources[name]["Properties"]["PolicyDocument"]
    found: Statements = iam.resolve_functions(document, {"Boundary": "the boundary"})["Statement"]
    return found


def missing(statements: Statements, needed: list[tuple[str, str, str]]) -> list[str]:
    return [
        f"{service}:{action} on {resource}"
        for resource, service, actions in needed
        for action in actions.split()
        if not any(iam.allowing(statements, f"{service}:{action}", resource))
    ]


def test_role_may_deploy_every_resource_of_the_templates(
    default_template: Template, proxy_template: Template, external_template: Template, statements: Statements
) -> None:
    templates = (default_template, proxy_template, external_template)
    types = {one["Type"] for template in templates for one in template["Resources"].values()}
    unknown = types - set(NEEDED)
    assert not unknown, (
        f"add the calls that a deploy makes for {sorted(unknown)} to tests/support/aws_permissions.py"
    )
    not_allowed = {
        kind: permissions for kind in sorted(types) if (permissions := missing(statements, NEEDED[kind]))
    }
    assert not not_allowed, f"allow it in deploy/github_role.yml: {not_allowed}"


def test_role_may_deploy_resources_that_settings_add(statements: Statements) -> None:
    assert [permissions for needed in NEEDED.values() for permissions in missing(statements, needed)] == []


def test_role_may_make_the_direct_calls_of_the_deploy(statements: Statements) -> None:
    assert missing(statements, DIRECT) == []
    direct = [one for one in statements if "aws:CalledVia" not in str(one.get("Condition"))]
    assert missing(direct, DIRECT) == []


def test_every_call_of_the_deploy_scripts_is_listed() -> None:
    listed = {f"{service}:{action}" for _, service, actions in DIRECT for action in actions.split()}
    listed.add("secretsmanager:DeleteSecret")  # in deploy/secret.py, only for `make remove`
    assert {call for script in SCRIPTS for call in calls(script)} <= listed


def calls(script: str) -> Iterator[str]:
    """Yield the calls of boto3's clients in a script, as IAM actions. They are recognized by method name."""
    tree = ast.parse((ROOT / "deploy" / f"{script}.py").read_text("utf-8"))
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    called |= set(re.findall(r'get_paginator\("(\w+)"\)', ast.unparse(tree).replace("'", '"')))
    for service in SERVICES:
        client = boto3.client(service, region_name="us-east-1")
        operations = client.meta.method_to_api_mapping
        for method in called & (set(operations) - {"close"}):
            action = {"Invoke": "InvokeFunction"}.get(operations[method], operations[method])
            yield f"{service}:{action}"
        client.close()


def test_role_can_be_assumed_only_from_one_repository_and_environment(
    resources: dict[str, dict[str, Any]],
) -> None:
    document = resources["Role"]["Properties"]["AssumeRolePolicyDocument"]
    (trust,) = document["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert iam.resolve_functions(trust["Condition"], {}) == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:acme/restcalculator:environment:dev",
        }
    }


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{A}:stack/other/0f1e"),
        ("cloudformation:DeleteStack", f"arn:aws:cloudformation:{A}:stack/restcalculator-dev/0f1e"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{A}:function:restcalculator-dev-login"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{A}:function:other"),
        ("secretsmanager:GetSecretValue", f"{SECRETS}restcalculator/production-1A2B3C"),
        ("secretsmanager:GetSecretValue", f"{SECRETS}restcalculator/dev-old-1A2B3C"),
        ("s3:GetObject", f"{BUCKET}/uploads/1/2.csv"),
        ("rds:DeleteDBInstance", f"arn:aws:rds:{A}:db:restcalculator-production-database-1a2b3c"),
        ("iam:CreateRole", f"{ROLES}/admin"),
        ("iam:PassRole", f"{ROLES}/admin"),
        ("iam:PutRolePolicy", f"{ROLES}/github/restcalculator-dev"),
        ("iam:DeleteRolePermissionsBoundary", f"{ROLES}/restcalculator-dev-DatabaseRole-1A2B3C"),
        ("iam:CreatePolicyVersion", f"{POLICIES}/github/restcalculator-dev-boundary"),
        ("iam:CreatePolicyVersion", f"{POLICIES}/github/restcalculator-dev-deploy"),
    ],
)
def test_role_may_not_act_outside_its_stage(statements: Statements, action: str, resource: str) -> None:
    assert list(iam.allowing(statements, action, resource)) == []


def test_role_may_grant_permissions_only_within_the_boundary(statements: Statements) -> None:
    for action in ("CreateRole", "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary"):
        for statement in iam.allowing(statements, f"iam:{action}", ROLE):
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": "the boundary"}}


def test_unnamed_resources_are_changed_only_through_cloudformation(statements: Statements) -> None:
    for statement in statements:
        if "*" in iam.as_list(statement["Resource"]):
            reading = all(re.search(r":(Describe|Validate)", action) for action in statement["Action"])
            assert reading or re.search("CalledVia|FunctionArn", str(statement.get("Condition"))), statement


def test_every_policy_is_within_the_quota(resources: dict[str, dict[str, Any]]) -> None:
    for name, one in resources.items():
        if one["Type"] == "AWS::IAM::ManagedPolicy":
            document = iam.resolve_functions(one["Properties"]["PolicyDocument"], {"Boundary": "b" * 70})
            # Names of regions and stages can be longer than the placeholders.
            assert iam.size(document) < POLICY_LIMIT * 0.9, name


def test_boundary_allows_everything_that_the_functions_roles_allow(
    default_template: Template, proxy_template: Template, external_template: Template, boundary: Statements
) -> None:
    """A permission outside the boundary has no effect: the function would fail on AWS."""
    not_allowed = [
        f"{action} on {resource}"
        for template in (default_template, proxy_template, external_template)
        for statement in granted(template)
        for action in iam.as_list(statement["Action"])
        for resource in iam.as_list(statement["Resource"])
        if not any(iam.allowing(boundary, action, resource))
    ]
    assert not not_allowed, f"allow it in the boundary of deploy/github_role.yml, too: {not_allowed}"


def granted(template: Template) -> Iterator[dict[str, Any]]:
    """Yield the allowing statements of a template's roles and managed policies."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        documents = [one["PolicyDocument"] for one in properties.get("Policies", [])]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        if resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Role"):
            for document in iam.resolve_functions(documents, ARNS):
                yield from (one for one in document["Statement"] if one["Effect"] == "Allow")


def test_every_role_of_the_template_has_the_boundary(proxy_template: Template) -> None:
    roles = [one for one in proxy_template["Resources"].values() if one["Type"] == "AWS::IAM::Role"]
    assert roles
    named = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/" + BOUNDARY}
    assert all(role["Properties"]["PermissionsBoundary"] == named for role in roles)


def test_boundary_of_the_template_is_that_of_the_role(resources: dict[str, dict[str, Any]]) -> None:
    properties = resources["Boundary"]["Properties"]
    name = iam.resolve_functions(properties["ManagedPolicyName"], {})
    assert f"{properties['Path']}{name}" == f"/{BOUNDARY}"
