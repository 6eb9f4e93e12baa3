"""Validation of request bodies."""

from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.http.api import parse_json
from shared.operations.requests import NewOperation, OperationCall
from shared.schemas import requests

ID = str(uuid4())
GOOD: dict[type[BaseModel], dict[str, Any]] = {
    requests.Login: {"email": "ada@example.com", "password": "x"},
    requests.NewAdmin: {"email": "ada@example.com", "password": "Lovelace1!", "admin_password": "x"},
    OperationCall: {"type": "addition", "arguments": [1, Decimal("2.5")]},
    requests.NewTask: {"filename": "a.csv", "size": 1},
    requests.NewApiKey: {"name": "my program"},
    requests.NewSpendLimit: {"amount": 5, "per": "month"},
    requests.NewExport: {"resource": "records"},
    requests.PasswordChange: {"current_password": "Lovelace1!", "new_password": "Lovelace2!"},
    requests.Resumption: {"max_spend": 100},
    requests.Refund: {"reason": "a wrong price"},
    NewOperation: {"type": "addition", "cost": 5},
    requests.OperationChange: {"cost": 5},
    requests.NewRecord: {
        "operation_id": ID,
        "user_id": ID,
        "amount": 5,
        "user_balance": 15,
        "operation_response": 3,
    },
    requests.RecordChange: {"amount": 5},
    requests.NewUser: {"email": "ada@example.com", "password": "Lovelace1!"},
    requests.UserChange: {"balance": 5},
    requests.CreditGrant: {"amount": -5, "reason": "taken back"},
    requests.NewWebhook: {"url": "https://hooks.example.com/", "events": ["task.completed"]},
    requests.WebhookChange: {"paused": True},
    requests.AccountChange: {"low_balance_threshold": 5},
}
CHANGES = {
    requests.WebhookChange: {
        "url": "https://hooks.example.com/",
        "events": ["balance.low"],
        "paused": True,
    },
    requests.OperationChange: {"cost": 5},
    requests.RecordChange: {
        "operation_id": ID,
        "user_id": ID,
        "amount": 5,
        "user_balance": 5,
        "date": "2026-11-23T07:00:00Z",
    },
    requests.UserChange: {"email": "a@b.example", "password": "Lovelace1!", "role": "admin", "balance": 5},
}


def fault_locations(model: type[BaseModel], body: Any) -> list[tuple[str | int, ...]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(body)
    return [fault["loc"] for fault in caught.value.errors()]


def leaves(model: type[BaseModel]) -> set[type[BaseModel]]:
    return {leaf for child in model.__subclasses__() for leaf in (leaves(child) or {child})}


def test_every_request_model_has_an_example_here() -> None:
    assert set(GOOD) == leaves(requests.Request)


@pytest.mark.parametrize("model", GOOD)
def test_unmodified_example_is_valid(model: type[BaseModel]) -> None:
    model.model_validate(GOOD[model])


@pytest.mark.parametrize("model", GOOD)
def test_unknown_field_is_rejected(model: type[BaseModel]) -> None:
    assert fault_locations(model, {**GOOD[model], "colour": "red"}) == [("colour",)]


@pytest.mark.parametrize("model", GOOD)
@pytest.mark.parametrize("body", [None, [], "x", 7, True])
def test_body_that_is_not_an_object_is_rejected(model: type[BaseModel], body: object) -> None:
    assert fault_locations(model, body) == [()]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (model, name)
        for model, body in GOOD.items()
        for name in body
        if model.model_fields[name].is_required() and name != "operation_response"
    ],
)
@pytest.mark.parametrize("wrong", ["missing", None, {}])
def test_missing_or_ill_typed_field_is_rejected_with_its_name(
    model: type[BaseModel], name: str, wrong: object
) -> None:
    body = {**GOOD[model], name: wrong}
    if wrong == "missing":
        del body[name]
    assert fault_locations(model, body) == [(name,)]


NUMBERS = [
    (NewOperation, "cost"),
    (requests.CreditGrant, "amount"),
    (requests.UserChange, "balance"),
    (requests.NewRecord, "user_balance"),
]


@pytest.mark.parametrize(("model", "name"), NUMBERS)
@pytest.mark.parametrize(
    "value", ["5", True, False, None, [5], "NaN", Decimal("NaN"), Decimal("Infinity"), float("inf")]
)
def test_money_that_is_not_a_number_is_rejected(model: type[BaseModel], name: str, value: object) -> None:
    assert fault_locations(model, {**GOOD[model], name: value}) == [(name,)]


@pytest.mark.parametrize(("model", "name"), NUMBERS)
@pytest.mark.parametrize("value", ["0.00001", "1e-5", "100000000000000", "1e15", "1e999999", "1e-999999"])
def test_money_has_at_most_4_decimal_places_and_14_integer_digits(
    model: type[BaseModel], name: str, value: str
) -> None:
    assert fault_locations(model, {**GOOD[model], name: Decimal(value)}) == [(name,)]


@pytest.mark.parametrize(("model", "name"), NUMBERS)
@pytest.mark.parametrize("value", ["0.0001", "99999999999999.9999", "15.50", "1e13"])
def test_money_is_parsed_exactly(model: type[BaseModel], name: str, value: str) -> None:
    body = {**GOOD[model], name: parse_json(value)}
    assert getattr(model.model_validate(body), name) == Decimal(value)


@pytest.mark.parametrize(
    ("model", "name"),
    [(NewOperation, "cost"), (requests.UserChange, "balance"), (requests.NewUser, "balance")],
)
def test_negative_cost_or_balance_is_rejected(model: type[BaseModel], name: str) -> None:
    assert fault_locations(model, {**GOOD[model], name: Decimal("-0.0001")}) == [(name,)]


@pytest.mark.parametrize("value", ["1", True, None, [1], {}])
def test_argument_that_is_not_a_number_is_rejected_at_its_index(value: object) -> None:
    assert fault_locations(OperationCall, {"type": "addition", "arguments": [1, value]}) == [("arguments", 1)]


def test_arguments_are_optional_and_at_most_1000() -> None:
    assert OperationCall(type="random_string").arguments == []
    assert fault_locations(OperationCall, {"type": "addition", "arguments": [1] * 1001}) == [("arguments",)]


def test_argument_keeps_all_its_digits() -> None:
    text = "0.1234567890123456789012345678901234"
    call = OperationCall.model_validate({"type": "addition", "arguments": [parse_json(text)]})
    assert call.arguments == [Decimal(text)]


@pytest.mark.parametrize("email", ["Ada@Example.COM", " ada@example.com ", "ADA@EXAMPLE.COM"])
def test_email_is_normalized(email: str) -> None:
    assert requests.Login(email=email, password="x").email == "ada@example.com"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u00e9mile@example.com", "e\u0301mile@example.com"),  # NFC and NFD
        ("\u00c9MILE@example.com", "E\u0301mile@example.com"),
        ("ada@example.com", "\uff21\uff44\uff41\uff20example\uff0ecom"),  # full width
        ("stra\u00dfe@example.com", "STRASSE@example.com"),
        ("\u03c3\u03c2@example.com", "\u03a3\u03a3@example.com"),  # two small sigmas, one capital one
        ("\ufb01n@example.com", "FIN@example.com"),  # a ligature
        ("\u212bsa@example.com", "\u00e5sa@example.com"),  # the Angstrom sign
    ],
)
def test_equivalent_spellings_of_an_email_normalize_to_the_same_value(one: str, other: str) -> None:
    assert requests.Login(email=one, password="x").email == requests.Login(email=other, password="x").email


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cn", "Cs", "Zs", "Zl", "Zp"]), max_size=20))
def test_normalization_of_an_email_is_idempotent(local: str) -> None:
    with suppress(ValidationError):
        folded = requests.Login(email=f"{local}@example.com", password="x").email
        assert requests.Login(email=folded, password="x").email == folded


@pytest.mark.parametrize(
    "character",
    [
        *("\u200b", "\u200d", "\ufeff", "\u00ad", "\u202e", "\u2066"),  # format
        *("\x00", "\t", "\n", "\x7f", "\x85"),  # control
        *("\u034f", "\u115f", "\u3164", "\uffa0", "\ufe0f", "\U000e0100"),  # invisible for another reason
        *("\u0378", "\ufffe", "\U0010ffff"),  # unassigned
    ],
    ids=ascii,
)
@pytest.mark.parametrize("email", ["{}ada@example.com", "a{}da@example.com", "ada@example.com{}"])
def test_email_with_an_invisible_character_is_rejected(email: str, character: str) -> None:
    sent = {"email": email.format(character), "password": "x"}
    assert fault_locations(requests.Login, sent) == [("email",)]


@pytest.mark.parametrize(
    "email",
    [
        *("", "ada", "@example.com", "ada@", "ada@example", "a da@example.com", "ada@exa\0mple.com"),
        *("a@b@c.d", "ada@example.", "x" * 250 + "@b.de", "ada@example.com\nx", "\ud800@example.com"),
        *(7, None),
    ],
)
def test_invalid_email_is_rejected(email: object) -> None:
    assert fault_locations(requests.Login, {"email": email, "password": "x"}) == [("email",)]


def test_invalid_email_is_explained_without_a_regular_expression() -> None:
    with pytest.raises(ValidationError, match=r"should be an e-mail address, such as ada@example\.com"):
        requests.Login(email="ada@example", password="x")


@pytest.mark.parametrize("model", [requests.NewUser, requests.NewAdmin, requests.UserChange])
def test_password_in_an_admins_request_has_8_to_128_characters(model: type[BaseModel]) -> None:
    for password in ("x" * 8, "x" * 128):
        model.model_validate({**GOOD[model], "password": password})
    for password in ("x" * 7, "x" * 129):
        assert fault_locations(model, {**GOOD[model], "password": password}) == [("password",)]


def test_role_is_client_or_admin() -> None:
    assert fault_locations(requests.UserChange, {"role": "god"}) == [("role",)]
    assert requests.NewUser.model_validate(GOOD[requests.NewUser]).role == "client"


@pytest.mark.parametrize("model", CHANGES)
def test_empty_patch_is_rejected(model: type[BaseModel]) -> None:
    assert fault_locations(model, {}) == [()]


@pytest.mark.parametrize(
    ("model", "name"), [(model, name) for model, body in CHANGES.items() for name in body]
)
def test_patch_rejects_null_and_contains_only_the_sent_field(model: type[BaseModel], name: str) -> None:
    assert fault_locations(model, {name: None}) == [(name,)]
    change = model.model_validate({name: CHANGES[model][name]})
    assert set(change.model_dump(exclude_unset=True)) == {name}


def test_response_of_a_record_may_be_any_json() -> None:
    for value in (None, 0, "", [], {"a": [1]}):
        assert (
            requests.NewRecord.model_validate(
                {**GOOD[requests.NewRecord], "operation_response": value}
            ).operation_response
            == value
        )
    assert requests.RecordChange(operation_response=None).model_fields_set == {"operation_response"}


@pytest.mark.parametrize("number", ["1e309", "-1e400", "1e-309", "1" * 310])
def test_response_of_a_record_rejects_numbers_outside_the_range_of_a_double(number: str) -> None:
    for value in (Decimal(number), {"a": [1, Decimal(number)]}):
        with pytest.raises(ValidationError, match="range"):
            requests.RecordChange.model_validate({"operation_response": value})
    assert requests.RecordChange.model_validate({"operation_response": Decimal("0e999")})


def test_date_without_a_utc_offset_is_rejected() -> None:
    assert fault_locations(requests.RecordChange, {"date": "2026-11-23T07:00:00"}) == [("date",)]


@pytest.mark.parametrize("size", [0, -1, 5 * 1024**3 + 1, "7", 7.5, True])
def test_size_of_a_file_is_1_byte_to_5_gib(size: object) -> None:
    assert fault_locations(requests.NewTask, {"filename": "a.csv", "size": size}) == [("size",)]
    requests.NewTask(filename="a.csv", size=5 * 1024**3)


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\0b", "\ud800", 7])
def test_filename_has_1_to_255_printable_characters(name: object) -> None:
    assert fault_locations(requests.NewTask, {"filename": name, "size": 1}) == [("filename",)]
