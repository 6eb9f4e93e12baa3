"""Read the functions, their routes and the API's CORS settings from serverless.yml."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml

from deploy.cors import Cors

DEFAULT_ROUTE = "$default"
_VARIABLE = re.compile(r"""\$\{env:(\w+)(?:\s*,\s*['"]?([^'"}]*)['"]?)?\}""")


class _CloudFormationLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Loads YAML and reads `!GetAtt` as its text, and `!Ref`, `!Sub` and the like as None."""


_CloudFormationLoader.add_multi_constructor("!", lambda loader, suffix, node: None)
_CloudFormationLoader.add_constructor("!GetAtt", lambda loader, node: node.value)


@dataclass(frozen=True)
class Function:
    """One Lambda function.

    `handler` is `folder/module.attribute`, `timeout` is in seconds, `memory` in MB, and `schedule` is an
    EventBridge expression or empty. `queue` is the name in the template of the queue that invokes the
    function, or empty, and `batch_size` the most messages of one invocation.
    """

    name: str
    handler: str
    timeout: int
    memory: int
    schedule: str = ""
    queue: str = ""
    batch_size: int = 1


@dataclass(frozen=True)
class Route:
    """A route and its function. `method` may be ANY, `path` may be $default."""

    method: str
    path: str
    function: Function

    @property
    def key(self) -> str:
        """API Gateway's route key: `GET /users/{id}`, `ANY /x` or `$default`."""
        return DEFAULT_ROUTE if self.path == DEFAULT_ROUTE else f"{self.method} {self.path}"

    @property
    def precedence(self) -> tuple[object, ...]:
        """Sort key: literal segments, parameters, greedy parameters; a method before ANY; $default last."""
        kinds = tuple(2 if "+}" in part else 1 if "{" in part else 0 for part in self.path.split("/"))
        return (self.path == DEFAULT_ROUTE, kinds, self.method == "ANY")

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        if self.path == DEFAULT_ROUTE:
            return re.compile(".*", re.DOTALL)
        parts = re.split(r"(\{\w+\+?\})", self.path)
        return re.compile("".join(_as_group(part) for part in parts), re.DOTALL)


@dataclass(frozen=True)
class Match:
    """The route of a request, and the values of its path parameters."""

    route: Route
    path_parameters: Mapping[str, str]


@dataclass(frozen=True)
class Service:
    """The parts of serverless.yml that the offline cloud needs."""

    functions: Mapping[str, Function]
    routes: tuple[Route, ...]
    cors: Cors | None

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str]) -> Self:
        """Parse serverless.yml, and resolve `${env:NAME, 'default'}` from `environment`."""
        document = yaml.load(path.read_text("utf-8"), _CloudFormationLoader)  # noqa: S506  (a safe loader)
        provider = document.get("provider") or {}
        functions, routes = {}, []
        for name, declared in document["functions"].items():
            events = [event for event in declared.get("events") or [] if isinstance(event, dict)]
            functions[name] = Function(
                name,
                declared["handler"],
                int(declared.get("timeout") or provider.get("timeout") or 6),
                int(declared.get("memorySize") or provider.get("memorySize") or 1024),
                next((event["schedule"] for event in events if "schedule" in event), ""),
                *_queue(events),
            )
            routes += [Route(*key, functions[name]) for key in _route_keys(events)]
        cors = _resolved((provider.get("httpApi") or {}).get("cors"), environment)
        return cls(functions, tuple(sorted(routes, key=lambda route: route.precedence)), Cors.declared(cors))

    def match(self, method: str, path: str) -> Match | None:
        """Return the most specific route for a request. Like API Gateway, it matches the decoded `path`."""
        if found := self._literal.get((method, path)):
            return found
        for route in self.routes:
            if route.method in (method, "ANY") and (values := route.pattern.fullmatch(path)):
                return Match(route, values.groupdict())
        return None

    @cached_property
    def _literal(self) -> Mapping[tuple[str, str], Match]:
        """The routes without parameters, by method and path. None is more specific than they are."""
        literal = (route for route in self.routes if "{" not in route.path)
        return {(route.method, route.path): Match(route, {}) for route in literal}


def _as_group(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    name = part.strip("{+}")
    return f"(?P<{name}>{'.+' if part.endswith('+}') else '[^/]+'})"


def _queue(events: list[dict[str, Any]]) -> tuple[str, int]:
    """Return the queue of `sqs: { arn: !GetAtt NAME.Arn, batchSize: N }`, and the batch size (default 10)."""
    declared = next((event["sqs"] for event in events if "sqs" in event), None)
    return (declared["arn"].removesuffix(".Arn"), int(declared.get("batchSize", 10))) if declared else ("", 1)


def _route_keys(events: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (method, path) for `httpApi: GET /x`, `httpApi: {method, path}` and `httpApi: "*"`."""
    for event in events:
        declared = event.get("httpApi")
        if isinstance(declared, dict):
            declared = f"{declared.get('method', '*')} {declared['path']}"
        if declared in ("*", "* *"):
            yield "ANY", DEFAULT_ROUTE
        elif declared:
            method, path = declared.split(maxsplit=1)
            yield ("ANY" if method in ("*", "any", "ANY") else method.upper()), path


def _resolved(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(item, environment) for name, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, environment) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: environment.get(found[1]) or found[2] or "", value)
    return value
