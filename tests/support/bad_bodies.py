"""Invalid request bodies, generated from the schemas of the OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from tests.support.declared_routes import resolved

SURROGATE = "\ud800"
NUL = "\0"
NESTING = 100_000

MALFORMED = {
    "half": b'{"a": ',
    "text": b"hello",
    "single quotes": b"{'a': 1}",
    "trailing comma": b'{"a": 1,}',
    "two values": b"{} {}",
    "comment": b"{/* */}",
    "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": Infinity}',
    "-Infinity": b'{"amount": -Infinity}',
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "raw NUL": b'{"a": "\0"}',
    "raw line break": b'{"a": "\n"}',
    "nested lists": b"[" * NESTING + b"]" * NESTING,
    "nested objects": b'{"":' * (NESTING // 2) + b"1" + b"}" * (NESTING // 2),
    "unclosed lists": b"[" * NESTING,
}
"""Bodies that return 400."""

NOT_OBJECTS: list[Any] = [None, [], ["a"], "x", "", 1, 1.5, True]

_OTHER_TYPES: dict[str, list[Any]] = {
    "string": [17, 1.5, True, [], ["a"], {}, {"a": 1}],
    "number": ["17", "", True, [], [1], {}],
    "integer": ["17", "", True, [], [1], {}, 1.5],
    "boolean": ["true", "", 0, 1, [], {}],
    "array": ["[]", 17, True, {}, {"0": 1}],
    "object": ["{}", 17, True, [], ["a"], {"nonsense": 1}],
}
_OUT_OF_RANGE = [1e15, -1e15, 1.00001, 10**400]


def wrong_values(schema: dict[str, Any]) -> list[Any]:
    """Return values that a field must reject. None for a field that accepts any JSON."""
    schema = resolved(schema)
    kind = schema.get("type")
    if kind is None:
        return []
    values = list(_OTHER_TYPES[kind])
    if not schema.get("nullable"):
        values.append(None)
    if schema.get("format") in ("uuid", "date-time", "email") or "enum" in schema:
        values += ["", "x", "x" * 300, NUL, SURROGATE, "0000-00-00", "2026-13-45T00:00:00Z", "@", "17"]
        values += ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "-1.5", "2026-11-23T07:00:00"]
    if kind == "string":
        values += [SURROGATE, f"abcdefg1!{SURROGATE}", f"abcdefg1!{NUL}"]
        values += ["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else []
        values += ["x" * (schema["minLength"] - 1)] if schema.get("minLength") else []
    if kind == "number":
        values += _OUT_OF_RANGE
    if kind == "integer":
        values += [10**30, -(10**30), schema.get("minimum", 0) - 1, schema.get("maximum", 0) + 1]
    if kind == "array":
        values += [[wrong] for wrong in wrong_values(schema["items"]) if wrong not in _OUT_OF_RANGE]
        values += [[1] * (schema["maxItems"] + 1)]
    return values


def unstorable(value: Any) -> Iterator[Any]:
    """Yield JSON that Postgres or a recursive parser cannot process, for a field that accepts any JSON."""
    for bad in (SURROGATE, NUL):
        yield bad
        yield [{"a": bad}]
        yield {bad: value}
    yield 10**400
