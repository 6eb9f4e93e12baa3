"""`Prefer: money=string`: money in JSON bodies becomes decimal strings, other numbers keep their digits."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from shared.http import money
from shared.lists.registry import LISTS
from shared.schemas import responses
from shared.schemas.field_types import Credits

EXACT = "12345678901234.5678"


def all_models(kind: type[BaseModel] = responses.ResponseBody) -> Iterator[type[BaseModel]]:
    for child in kind.__subclasses__():
        yield child
        yield from all_models(child)


def parts(annotation: Any) -> Iterator[Any]:
    """Yield a type and the types in it."""
    yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


def members() -> Iterator[tuple[str, list[Any]]]:
    """Yield each member of each response model, with the types in it."""
    for model in all_models():
        for name, info in model.model_fields.items():
            yield info.alias or name, list(parts(info.annotation))


def test_money_members_are_those_of_the_response_models() -> None:
    assert {name for name, types in members() if Credits in types} == money.MONEY
    assert not {name for name, types in members() if Credits not in types} & money.MONEY


def test_containers_are_the_lists_and_the_members_with_objects_that_have_money() -> None:
    with_money = {model for model in all_models() if field_names(model) & money.MONEY}
    nested = {name for name, types in members() if any(model in types for model in with_money)}
    lists = {listing.name for listing in LISTS if field_names(listing.schema) & (money.MONEY | nested)}
    assert nested | lists == money.CONTAINERS


def field_names(model: type[BaseModel]) -> set[str]:
    return set(model.model_fields)


def test_every_decimal_of_a_response_is_declared_as_credits() -> None:
    assert [name for name, types in members() if Decimal in types] == []


@pytest.mark.parametrize(
    ("body", "converted"),
    [
        ('{"amount" : 5, "result" : 0.30}', '{"amount" : "5", "result" : 0.30}'),
        ('{"balance" : -1e3}', '{"balance" : "-1000"}'),
        (f'{{"records" : [{{"amount" : {EXACT}}}]}}', f'{{"records" : [{{"amount" : "{EXACT}"}}]}}'),
        ('{"max_spend" : null}', '{"max_spend" : null}'),
        ('{"spend_limit" : {"amount" : 0.0001}}', '{"spend_limit" : {"amount" : "0.0001"}}'),
        (
            '{"audit_log" : [{"before" : {"cost" : 1.50}, "after" : {"operation_response" : 1.50}}]}',
            '{"audit_log" : [{"before" : {"cost" : "1.50"}, "after" : {"operation_response" : 1.50}}]}',
        ),
        ('{"operation_response" : {"amount" : 1.50}}', '{"operation_response" : {"amount" : 1.50}}'),
        ('{"records" : [{"arguments" : [1E+2]}]}', '{"records" : [{"arguments" : [1E+2]}]}'),
        ('{"message" : "\\"amount\\" : 5 é"}', None),
        ("[]", "[]"),
    ],
)
def test_only_money_becomes_a_string(body: str, converted: str | None) -> None:
    if converted is None:
        assert json.loads(money.as_strings(body)) == json.loads(body)
    else:
        assert money.as_strings(body) == converted


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        ("money=string", True),
        ('Money = "string"; x=1', True),
        ("respond-async, money=string", True),
        ("", False),
        ("money", False),
        ("money=number", False),
        ("xmoney=string", False),
    ],
)
def test_preference_is_parsed_as_in_rfc_7240(prefer: str, expected: bool) -> None:
    assert money.prefers_strings(prefer) is expected
