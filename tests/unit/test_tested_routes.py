"""Every route has an end-to-end test that calls it."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.declared_routes import OPERATIONS
from tests.support.http_client import API

E2E = Path(__file__).parents[1] / "e2e"
METHODS = ("GET", "POST", "PATCH", "DELETE")


def calls(source: str) -> Iterator[tuple[str, str]]:
    """Yield the method and the path of each request in a module.

    A request is `client.get(path)`, `f(…, "GET", path)` or `client.rows("users")`. A path has `{}` for each
    value that is not known from an assignment in the module, such as the `Location` of a response.
    """
    module = ast.parse(source)
    variables = {"API": API}
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            variables[node.targets[0].id] = text_of(node.value, variables)
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        name = call.func.attr.upper() if isinstance(call.func, ast.Attribute) else ""
        texts = [text_of(argument, variables) for argument in call.args]
        if name == "ROWS":
            yield "GET", f"{API}/{texts[0]}"
        for method in {name, *texts}.intersection(METHODS):
            yield from ((method, text.partition("?")[0]) for text in texts if "/" in text)


def text_of(node: ast.expr, variables: Mapping[str, str]) -> str:
    """Return the text of a string, an f-string or a variable; empty if it is unknown."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, variables) or "{}" for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, variables)
    if isinstance(node, ast.Name):
        return variables.get(node.id, "")
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def is_called(method: str, path: str, called: set[tuple[str, str]]) -> bool:
    """Whether a call names the path, or its last segment after an unknown beginning."""
    return any(
        method == verb and (path == text or (text.startswith("{}/") and path.endswith(text[2:])))
        for verb, text in called
    )


def test_every_route_is_called_by_an_end_to_end_test() -> None:
    called = {call for file in E2E.glob("test_*.py") for call in calls(file.read_text("utf-8"))}
    paths = {str(route): (route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in OPERATIONS}
    missing = [route for route, (method, path) in paths.items() if not is_called(method, path, called)]
    assert missing == [], "add a test that calls the route to tests/e2e"


def test_calls_finds_a_request_in_each_form() -> None:
    source = """
KEYS = f"{API}/keys"
client.get(f"{KEYS}/{id}?x=1")
send(client, "POST", "/login", {})
client.rows("users")
client.delete(f"{location}/results")
other("/no", "call")
"""
    assert set(calls(source)) == {
        ("GET", "/api/v1/keys/{}"),
        ("POST", "/login"),
        ("GET", "/api/v1/users"),
        ("DELETE", "{}/results"),
    }
