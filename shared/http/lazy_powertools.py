"""Import only the modules of Powertools that a function uses.

Powertools' packages import all their modules: resolvers for AppSync and Bedrock, classes for the events of
thirty services, metrics, tracing and asyncio. That is a fifth of a cold start. `install()` replaces three of
these packages by ones that import a name's module when the name is used. For a name that is not in PACKAGES,
the package imports everything, so a new version of Powertools may start slower, but it works.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

PACKAGES: Mapping[str, Mapping[str, str]] = {
    "aws_lambda_powertools": {"Logger": "logging"},
    "aws_lambda_powertools.event_handler": {
        "APIGatewayHttpResolver": "api_gateway",
        "ApiGatewayResolver": "api_gateway",
        "Response": "api_gateway",
    },
    "aws_lambda_powertools.utilities.data_classes": {
        "ALBEvent": "alb_event",
        "APIGatewayProxyEvent": "api_gateway_proxy_event",
        "APIGatewayProxyEventV2": "api_gateway_proxy_event",
        "BedrockAgentEvent": "bedrock_agent_event",
        "LambdaFunctionUrlEvent": "lambda_function_url_event",
        "VPCLatticeEvent": "vpc_lattice",
        "VPCLatticeEventV2": "vpc_lattice",
    },
}
"""The packages, and the module of each name that the resolver and the functions import from them."""


def install() -> None:
    """Make the packages lazy that are not imported yet."""
    for name, modules in PACKAGES.items():
        if name not in sys.modules and (spec := find_spec(name)) is not None:
            package = sys.modules[name] = _lazy(spec, modules)
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(sys.modules[parent], child, package)


def _lazy(spec: ModuleSpec, modules: Mapping[str, str]) -> ModuleType:
    package = module_from_spec(spec)

    def find(name: str) -> Any:
        """Return an attribute of the package that is not set yet. Raises: AttributeError."""
        if name.startswith("__"):
            raise AttributeError(name)
        if name in modules:
            found = getattr(import_module(f"{spec.name}.{modules[name]}"), name)
        elif find_spec(f"{spec.name}.{name}") is not None:
            return import_module(f"{spec.name}.{name}")
        else:
            _import_all(package, spec)
            found = package.__dict__.get(name)
            if name not in package.__dict__:
                raise AttributeError(f"module {spec.name!r} has no attribute {name!r}")
        setattr(package, name, found)
        return found

    package.__getattr__ = find  # type: ignore[method-assign]
    return package


def _import_all(package: ModuleType, spec: ModuleSpec) -> None:
    """Run the package's own code, as an ordinary import does."""
    del package.__getattr__
    assert spec.loader is not None  # noqa: S101  (for mypy)
    spec.loader.exec_module(package)
