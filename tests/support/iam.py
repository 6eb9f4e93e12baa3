"""Reads IAM policies from templates and evaluates what they allow. It ignores conditions."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

NAMES = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "Stage": "dev",
    "Repository": "acme/restcalculator",
}


class _Loader(yaml.SafeLoader):
    """Parse the short forms of CloudFormation's functions."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise yaml.constructor.ConstructorError(None, None, f"!{tag} of a mapping", node.start_mark)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


def load(path: Path) -> dict[str, Any]:
    """Return a CloudFormation template."""
    template: dict[str, Any] = yaml.load(path.read_text("utf-8"), _Loader)
    return template


def resolve_functions(value: Any, arns: Mapping[str, str]) -> Any:
    """Replace `Ref`, `Fn::Sub` and `Fn::GetAtt` by values from NAMES and `arns`."""
    if isinstance(value, list):
        return [resolve_functions(one, arns) for one in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        known = {**NAMES, **arns}
        return re.sub(r"\$\{([^}]+)\}", lambda m: known[m[1].removesuffix(".Arn")], value["Fn::Sub"])
    if "Ref" in value:
        return {**NAMES, **arns}[value["Ref"]]
    if "Fn::GetAtt" in value:
        return arns[value["Fn::GetAtt"][0]]
    return {name: resolve_functions(one, arns) for name, one in value.items()}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def allowing(statements: list[dict[str, Any]], action: str, resource: str) -> Iterator[dict[str, Any]]:
    """Yield the statements that allow an action on a resource."""
    for statement in statements:
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        if (
            statement["Effect"] == "Allow"
            and any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions)
            and any(fnmatchcase(resource, pattern) for pattern in resources)
        ):
            yield statement


def size(document: dict[str, Any]) -> int:
    """Count the characters of a policy as IAM does: without white space."""
    return len(re.sub(r"\s", "", json.dumps(document)))
