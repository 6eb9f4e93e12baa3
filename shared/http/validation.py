"""Validate the path parameters and the JSON body that a request sends to an endpoint's function.

Powertools' validation costs half of a call's processor time in the function: it normalizes the query, headers
and cookies of each request, and at the first call it builds validators of responses too. Powertools still
matches the route, and declares the OpenAPI document from the function's parameters.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from aws_lambda_powertools.event_handler import Response
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.errors import Fault, InvalidInput

Function = Callable[..., Response[str]]
Errors = list[Mapping[str, Any]]
"""Errors as Pydantic returns them, with the source first in `loc`: `("body", "cost")`."""

# Pydantic calls the characters of a string items, if another check came before that of its length.
_COUNTED = re.compile(r"^Value (should have at \w+ \d+) item(s?) after validation, not \d+$")


class _Input(NamedTuple):
    """What a function declares: its path parameters, and the model, name and default of its body."""

    path: Mapping[str, TypeAdapter[Any]]
    model: type[BaseModel] | None = None
    name: str = ""
    default: Any = inspect.Parameter.empty


def validated(function: Function, read_body: Callable[[], Any]) -> Function:
    """Return a function that validates its input before it calls `function`.

    Args:
        function: its parameters are those of the path, and at most one Pydantic model, the body.
        read_body: returns the parsed body, or None if there is none.

    Raises (the returned function): InvalidInput.
    """

    @cache  # built at the first call, because building validators slows down the cold start
    def declared() -> _Input:
        return _declared_input(function)

    @wraps(function)
    def call(**path: str) -> Response[str]:
        wanted, values, errors = declared(), dict[str, Any](), Errors()
        for name, adapter in wanted.path.items():
            try:
                values[name] = adapter.validate_python(path[name])
            except ValidationError as error:
                errors += _located(("path", name), error)
        if wanted.model is not None:
            body = read_body()
            if body is not None:
                try:
                    values[wanted.name] = wanted.model.model_validate(body, from_attributes=True)
                except ValidationError as error:
                    errors += _located(("body",), error)
            elif wanted.default is inspect.Parameter.empty:
                errors.append({"loc": ("body",), "msg": "Field required"})
        if errors:
            raise invalid_input(errors)
        response = function(**values)
        if not isinstance(response, Response):
            raise TypeError(f"{function.__name__} returned {type(response).__name__}, not a Response")
        return response

    return call


def invalid_input(errors: Iterable[Mapping[str, Any]]) -> InvalidInput:
    """Return the error that lists what is invalid in a request."""
    faults: list[Fault] = [
        {"pointer": _pointer(error["loc"]), "detail": _COUNTED.sub(r"String \1 character\2", error["msg"])}
        for error in errors
    ]
    detail = "; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in faults[:5])
    return InvalidInput(detail, errors=faults[:100])


def _declared_input(function: Function) -> _Input:
    path, body = dict[str, TypeAdapter[Any]](), _Input({})
    for name, parameter in inspect.signature(function).parameters.items():
        kind = parameter.annotation
        model = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if isinstance(model, type) and issubclass(model, BaseModel):
            body = body._replace(model=model, name=name, default=parameter.default)
        else:
            path[name] = TypeAdapter(kind)
    return body._replace(path=path)


def _located(source: tuple[str, ...], error: ValidationError) -> Errors:
    return [{**found, "loc": (*source, *found["loc"])} for found in error.errors(include_url=False)]


def _pointer(location: tuple[str | int, ...]) -> str:
    """Return an RFC 6901 pointer into the body, or below `query`, `path` or `headers`."""
    source, *path = location
    parts = path if source == "body" else [source, *path]
    return "#" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
