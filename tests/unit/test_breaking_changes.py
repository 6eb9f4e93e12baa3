"""A change of the OpenAPI document that breaks clients of the last release needs a line in the changelog."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from docs import breaking_changes
from docs.breaking_changes import breaking, permitted, signature

Document = dict[str, Any]
DOCUMENT: Document = {
    "info": {"version": "1.0.0"},
    "paths": {
        "/things": {
            "post": {
                "parameters": [{"name": "dry", "in": "query", "schema": {"type": "boolean"}}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}}
                },
                "responses": {
                    "201": {
                        "headers": {"Location": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "402": {"$ref": "#/components/responses/InsufficientCredit"},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "NewThing": {
                "properties": {"name": {"type": "string"}, "kind": {"$ref": "#/components/schemas/Kind"}},
                "required": ["name"],
            },
            "Thing": {
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "state": {"$ref": "#/components/schemas/State"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["id", "tags"],
            },
            "Kind": {"type": "string", "enum": ["small", "large"]},
            "State": {"type": "string", "enum": ["new", "old"]},
        }
    },
}


def operation(document: Document) -> Any:
    return document["paths"]["/things"]["post"]


def schema(document: Document, name: str) -> Any:
    return document["components"]["schemas"][name]


def nullable(document: Document) -> None:
    schema(document, "Thing")["properties"]["id"] = {
        "anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]
    }


BREAKING: dict[str, tuple[Callable[[Document], object], str]] = {
    "route": (lambda d: d["paths"].pop("/things"), "removed > POST /things"),
    "parameter": (lambda d: operation(d)["parameters"].pop(), "removed > POST /things query dry boolean"),
    "required parameter": (
        lambda d: operation(d)["parameters"][0].update(required=True),
        "added > POST /things query dry required",
    ),
    "header": (
        lambda d: operation(d)["responses"]["201"]["headers"].clear(),
        "removed < POST /things 201 header Location",
    ),
    "sent member": (
        lambda d: schema(d, "NewThing")["properties"].pop("kind"),
        "removed > NewThing.kind Kind",
    ),
    "newly required member": (
        lambda d: schema(d, "NewThing")["required"].append("kind"),
        "added > NewThing.kind required",
    ),
    "accepted value": (lambda d: schema(d, "Kind")["enum"].remove("large"), "removed > Kind = large"),
    "received member": (
        lambda d: schema(d, "Thing")["properties"].pop("tags"),
        "removed < Thing.tags string[]",
    ),
    "member that may be missing": (
        lambda d: schema(d, "Thing")["required"].remove("tags"),
        "removed < Thing.tags required",
    ),
    "member that may be null": (nullable, "added < Thing.id null"),
    "type": (
        lambda d: schema(d, "Thing")["properties"]["id"].pop("format"),
        "removed < Thing.id string:uuid",
    ),
    "new value to understand": (lambda d: schema(d, "State")["enum"].append("lost"), "added < State = lost"),
}
HARMLESS: dict[str, Callable[[Document], object]] = {
    "nothing": lambda d: d,
    "new route": lambda d: d["paths"].update({"/others": d["paths"]["/things"]}),
    "new parameter": lambda d: operation(d)["parameters"].append(
        {"name": "new", "in": "query", "schema": {"type": "string"}}
    ),
    "new accepted value": lambda d: schema(d, "Kind")["enum"].append("huge"),
    "value no longer received": lambda d: schema(d, "State")["enum"].remove("old"),
    "member no longer required": lambda d: schema(d, "NewThing")["required"].clear(),
    "new received member": lambda d: schema(d, "Thing")["properties"].update(size={"type": "integer"}),
    "received member always present": lambda d: schema(d, "Thing")["required"].append("state"),
    "description": lambda d: operation(d).update(description="Text."),
}


def changed(change: Callable[[Document], object]) -> list[str]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return breaking(signature(DOCUMENT), signature(document))


@pytest.mark.parametrize("name", BREAKING)
def test_breaking_change_is_found(name: str) -> None:
    change, fact = BREAKING[name]
    assert fact in changed(change)


@pytest.mark.parametrize("name", HARMLESS)
def test_compatible_change_breaks_nothing(name: str) -> None:
    assert changed(HARMLESS[name]) == []


def test_changelog_permits_a_breaking_change_only_under_unreleased() -> None:
    released = "\n## [1.0.0] - 2026-01-01\n\n- **Breaking**: earlier.\n"
    assert permitted(f"# Changelog\n\n## [Unreleased]\n\n- **Breaking**: x.\n{released}")
    assert not permitted(f"# Changelog\n\n## [Unreleased]\n\n- Not breaking.\n{released}")
    assert not permitted(f"# Changelog\n{released}")


def test_document_breaks_no_client_unless_the_changelog_says_so() -> None:
    document = json.loads(breaking_changes.DOCUMENT.read_text("utf-8"))
    changes = breaking(breaking_changes.released(), signature(document))
    is_permitted = permitted(breaking_changes.CHANGELOG.read_text("utf-8"))
    assert not changes or is_permitted, "\n".join([*changes, breaking_changes.REMEDY])


def test_signature_is_that_of_the_released_version() -> None:
    document = json.loads(breaking_changes.DOCUMENT.read_text("utf-8"))
    head = breaking_changes.SIGNATURE.read_text("utf-8").splitlines()[0]
    assert head == f"# {document['info']['version']}", "run: python -m docs.breaking_changes --release"
