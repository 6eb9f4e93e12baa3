"""Find changes of the OpenAPI document that break clients: `python -m docs.breaking_changes`.

`docs/reference/api-signature.txt` has the document of the last release, one fact per line: `>` marks what
clients send, and `<` what they receive. `--release` writes it. A test fails on a breaking change unless the
changelog describes one.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Set
from typing import Any

from deploy.environment import ROOT
from docs import list_schemas

DOCUMENT = ROOT / "docs" / "openapi.json"
SIGNATURE = ROOT / "docs" / "reference" / "api-signature.txt"
CHANGELOG = ROOT / "CHANGELOG.md"
REMEDY = "Undo the change, or describe it in CHANGELOG.md under Unreleased, after `- **Breaking**`."

SENT, RECEIVED = ">", "<"


def signature(document: dict[str, Any]) -> set[str]:
    """Return the facts of a document on which clients may depend."""
    facts, names = set[str](), {SENT: set[str](), RECEIVED: set[str]()}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for mark, fact, schema in _operation(operation):
                facts.add(f"{mark} {method.upper()} {path} {fact}".rstrip())
                names[mark] |= list_schemas.references(schema)
    schemas = document["components"]["schemas"]
    for mark, roots in names.items():
        for name in _reachable(roots, schemas):
            facts |= {f"{mark} {fact}" for fact in _schema(name, schemas[name])}
    return facts


def breaking(released: Set[str], current: Set[str]) -> list[str]:
    """Return the changes between two signatures that break clients of the released one."""
    removed = [f"removed {fact}" for fact in released - current if not _is_condition(fact)]
    added = [
        f"added {fact}" for fact in current - released if _is_condition(fact) and _subject(fact, released)
    ]
    return sorted(removed + added)


def permitted(changelog: str) -> bool:
    """Whether the changelog's unreleased section describes a breaking change."""
    section = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return section is not None and "\n- **Breaking**" in section[1]


def released() -> set[str]:
    """Return the signature of the last release."""
    return set(SIGNATURE.read_text("utf-8").splitlines()[1:])


def text(document: dict[str, Any]) -> str:
    """Return the file of a document's signature: the version, then the facts."""
    return "\n".join([f"# {document['info']['version']}", *sorted(signature(document))]) + "\n"


def _is_condition(fact: str) -> bool:
    """Whether a fact limits what clients may send, or extends what they must understand."""
    if fact.startswith(SENT):
        return fact.endswith(" required")
    return fact.endswith(" null") or " = " in fact


def _subject(fact: str, facts: Set[str]) -> bool:
    """Whether other facts have the operation, the schema or the member that a condition is about."""
    if fact.endswith(" required"):
        owner = fact.partition(".")[0] + "." if "." in fact else " ".join(fact.split(" ")[:3])
    else:
        owner = fact.removesuffix(" null").partition(" = ")[0] + " "
    return any(one.startswith(owner) for one in facts)


def _operation(operation: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the facts of an operation, each with its mark and the schema to which it refers."""
    yield SENT, "", {}
    parameters = list(operation.get("parameters", []))
    listing = list_schemas.listing_of(operation)
    if listing is not None and any(parameter["name"] == "filters" for parameter in parameters):
        parameters += list_schemas.operator_parameters(listing)
    operators: dict[str, str] = {}
    for parameter in parameters:
        field, _, operator = parameter["name"].partition("__")
        if operator:
            operators[field] = f"{operators.get(field, '')} {operator}"
            continue
        name = f"{parameter['in']} {parameter['name']}"
        yield SENT, f"{name} {_type(parameter['schema'])}", parameter["schema"]
        if parameter.get("required"):
            yield SENT, f"{name} required", {}
    for field, listed in operators.items():
        yield SENT, f"query {field}__:{listed}", {}
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield SENT, f"{media_type} {_type(content.get('schema', {}))}", content
    for status, response in operation["responses"].items():
        if status.startswith(("2", "3")):
            yield RECEIVED, status, {}
            for name in response.get("headers", {}):
                yield RECEIVED, f"{status} header {name}", {}
            for media_type, content in response.get("content", {}).items():
                yield RECEIVED, f"{status} {media_type} {_type(content.get('schema', {}))}", content


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """Yield the facts of a named schema."""
    if "properties" not in schema:
        yield f"{name} {_type(schema)}"
    for value in schema.get("enum", []):
        yield f"{name} = {value}"
    for member, kind in schema.get("properties", {}).items():
        yield f"{name}.{member} {_type(kind)}"
        if {"type": "null"} in kind.get("anyOf", []):
            yield f"{name}.{member} null"
    for member in schema.get("required", []):
        yield f"{name}.{member} required"


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a schema in one word: a name, `string:uuid`, `number|string`, `Scope[]`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return "|".join(sorted(_type(one) for one in schema["anyOf"] if one != {"type": "null"}))
    if "const" in schema:
        return json.dumps(schema["const"])
    if schema.get("type") == "array":
        return f"{_type(schema.get('items', {}))}[]"
    if "properties" in schema:
        members = (f"{name}:{_type(member)}" for name, member in schema["properties"].items())
        return "{" + ",".join(sorted(members)) + "}"
    return ":".join(str(schema[key]) for key in ("type", "format") if key in schema) or "any"


def _reachable(roots: Set[str], schemas: dict[str, Any]) -> set[str]:
    """Return the named schemas to which others refer, directly or through each other."""
    found = set(roots)
    while more := {name for one in found for name in list_schemas.references(schemas[one])} - found:
        found |= more
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true", help="write the signature of the current document")
    document = json.loads(DOCUMENT.read_text("utf-8"))
    if parser.parse_args().release:
        SIGNATURE.write_text(text(document), "utf-8")
        return
    changes = breaking(released(), signature(document))
    print("\n".join(changes) or "No change breaks clients of the last release.")
    if changes and not permitted(CHANGELOG.read_text("utf-8")):
        sys.exit(REMEDY)


if __name__ == "__main__":
    main()
