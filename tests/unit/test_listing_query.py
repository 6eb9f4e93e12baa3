"""Parsing of a list's query string, by the rules in the contract's section "Lists"."""

from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.lists.query import VALUES_LIMIT, FieldType, Filter, Query, field_types, parse
from shared.schemas import responses

RECORDS = field_types(responses.Record)
USERS = field_types(responses.User)
TASKS = field_types(responses.Task)
ID = "0190d7a6-3f5e-7c3a-9b1e-0123456789ab"


def faults(query: str, public: dict[str, FieldType] = RECORDS, *, admin: bool = False) -> list[str]:
    """Return the pointers of all faults. Each detail must contain the parameter's name."""
    with pytest.raises(InvalidInput) as caught:
        parse(query, public, may_see_deleted=admin)
    for fault in caught.value.errors:
        assert fault["pointer"].removeprefix("#/query/").removeprefix("#/query") in fault["detail"]
        assert fault["detail"] in caught.value.detail
    return [fault["pointer"] for fault in caught.value.errors]


def parsed(query: str, public: dict[str, FieldType] = RECORDS, *, admin: bool = False) -> Query:
    return parse(query, public, may_see_deleted=admin)


def only_filter(query: str, public: dict[str, FieldType] = RECORDS) -> Filter:
    (found,) = parsed(query, public).filters
    return found


def test_empty_query_is_page_1_of_10_newest_first() -> None:
    assert parsed("") == Query(
        page=1, page_size=10, cursor=None, fields=(), sort=(), deleted=False, filters=[]
    )


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("email=Ada@Example.COM", "ada@example.com"),
        ("email=ADE%CC%80LE@example.com", "ad\u00e8le@example.com"),
        ("email__in=%EF%BC%A1da@example.com,b@example.com", ["ada@example.com", "b@example.com"]),
        ("email__like=STRA%C3%9FE@%25", "strasse@%"),
    ],
)
def test_email_filter_normalizes_its_values_as_sign_in_does(query: str, value: object) -> None:
    assert only_filter(query, USERS).value == value


def test_other_text_filter_keeps_its_value() -> None:
    assert only_filter("filename=A.CSV", TASKS).value == "A.CSV"


@pytest.mark.parametrize("size", [1, 100])
def test_page_size_of_1_to_100_is_accepted(size: int) -> None:
    assert parsed(f"page_size={size}&page=3") == Query(page=3, page_size=size)


@pytest.mark.parametrize("name", ["page", "page_size"])
@pytest.mark.parametrize(
    "value",
    ["0", "-1", "1.5", "", "x", "1e3", "null", "0x10", "٣", "1000000000", "9" * 5000, "+1", "1_0", " 1"],
)
def test_invalid_page_or_page_size_is_rejected_with_its_name(name: str, value: str) -> None:
    assert faults(urlencode({name: value})) == [f"#/query/{name}"]


def test_page_size_of_101_is_rejected() -> None:
    assert faults("page_size=101") == ["#/query/page_size"]


@pytest.mark.parametrize(
    "name",
    ["colour", "password_hash", "page__gte", "seq", "type__", "__gte", "amount__gte__lte", "deleted", ""],
)
def test_unknown_parameter_is_rejected_with_its_name(name: str) -> None:
    assert faults(f"{name}=1") == [f"#/query/{name}"]


def test_password_hash_is_not_a_field_of_users() -> None:
    assert faults("password_hash__like=$argon2", USERS) == ["#/query/password_hash__like"]
    assert faults("fields=id,password_hash", USERS) == ["#/query/fields"]
    assert faults("sort=password_hash", USERS) == ["#/query/sort"]


def test_all_faults_are_reported_at_once() -> None:
    assert faults("page=0&colour=red&amount=x&sort=size") == [
        "#/query/page",
        "#/query/colour",
        "#/query/amount",
        "#/query/sort",
    ]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (f"user_id={ID}", UUID(ID)),
        ("amount=5.5", Decimal("5.5")),
        ("amount=-1e2", Decimal(-100)),
        ("date=2026-11-23T07:00:00Z", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("date=2026-11-23T08%3A00%3A00%2B01%3A00", datetime(2026, 11, 23, 7, tzinfo=UTC)),
        ("date=2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("task_row=7", 7),
        ("task_id=null", None),
        ("operation_response=15", "15"),
        ("operation_response=12345678901234.5678", "12345678901234.5678"),
        ("operation_response=NaN", '"NaN"'),
        ("operation_response=abc", '"abc"'),
        ("operation_response=%5B1%2C%202%5D", "[1, 2]"),
    ],
)
def test_equality_filter_converts_its_value_to_the_type_of_the_field(query: str, value: object) -> None:
    assert only_filter(query) == Filter(query.partition("=")[0], "eq", value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user_id", "x"),
        ("user_id", "null"),
        ("user_id", ""),
        ("amount", "five"),
        ("amount", "NaN"),
        ("amount", "Infinity"),
        ("amount", "1e400"),
        ("amount", "1e-400"),
        ("date", "yesterday"),
        ("date", "2026-13-01"),
        ("date", ""),
        ("task_row", "1.5"),
        ("task_row", "x"),
        ("task_row", "9" * 30),
        ("user_id__in", f"{ID},x"),
        ("amount__gte", "x"),
        ("date__lt", "x"),
    ],
)
def test_value_of_the_wrong_type_is_rejected_with_its_field(name: str, value: str) -> None:
    assert faults(urlencode({name: value})) == [f"#/query/{name}"]


@pytest.mark.parametrize(
    ("name", "value"), [("role", "god"), ("role__in", "client,god"), ("email", "a\0b"), ("email__like", "\0")]
)
def test_value_outside_the_domain_of_a_field_is_rejected_with_its_field(name: str, value: str) -> None:
    assert faults(urlencode({name: value}), USERS) == [f"#/query/{name}"]


ORDERED = {"gte", "lte", "gt", "lt"}


@pytest.mark.parametrize(
    ("public", "name", "operators"),
    [
        (RECORDS, "id", {"in"}),
        (RECORDS, "amount", ORDERED | {"in"}),
        (RECORDS, "date", ORDERED | {"in"}),
        (RECORDS, "task_row", ORDERED | {"in"}),
        (RECORDS, "arguments", set()),
        (USERS, "role", {"in"}),
        (USERS, "email", ORDERED | {"in", "like"}),
        (TASKS, "status", {"in"}),
        (TASKS, "error", ORDERED | {"in", "like"}),
        (TASKS, "percentage", ORDERED | {"in"}),
    ],
)
def test_operator_is_accepted_only_for_types_that_support_it(
    public: dict[str, FieldType], name: str, operators: set[str]
) -> None:
    values = {"id": ID, "amount": "1", "date": "2026-11-23", "task_row": "1", "percentage": "1"}
    values |= {"role": "client", "status": "failed"}
    for operator in ("gte", "lte", "gt", "lt", "in", "like", "ne", "eq"):
        query = f"{name}__{operator}={values.get(name, 'x')}"
        if operator in operators:
            assert only_filter(query, public).operator == operator
        else:
            assert faults(query, public) == [f"#/query/{name}__{operator}"]


def test_in_accepts_at_most_100_values() -> None:
    assert only_filter("amount__in=1,2.5") == Filter("amount", "in", [Decimal(1), Decimal("2.5")])
    assert len(only_filter("amount__in=" + ",".join(["1"] * VALUES_LIMIT)).value) == 100
    assert faults("amount__in=" + ",".join(["1"] * 101)) == ["#/query/amount__in"]


def test_sort_lists_fields_with_minus_for_descending() -> None:
    assert parsed("sort=-date,amount").sort == (("date", True), ("amount", False))


@pytest.mark.parametrize(
    "value", ["", "-", "date,,amount", "--date", "+date", "colour", "date desc", "date;--"]
)
def test_sort_by_an_invalid_field_is_rejected(value: str) -> None:
    assert faults("sort=" + quote(value)) == ["#/query/sort"]


@pytest.mark.parametrize("name", ["arguments", "operation_response"])
def test_sort_by_a_json_field_is_rejected(name: str) -> None:
    assert faults(f"sort={name}") == ["#/query/sort"]


def test_fields_selects_known_fields_once_each() -> None:
    assert parsed("fields=id,amount,id").fields == ("id", "amount")
    for value in ("", "id,", "colour", "id, amount"):
        assert faults("fields=" + quote(value)) == ["#/query/fields"]


def test_deleted_is_accepted_only_from_admins() -> None:
    assert parsed("deleted=true", admin=True).deleted
    assert not parsed("deleted=false", admin=True).deleted
    assert faults("deleted=maybe", admin=True) == ["#/query/deleted"]
    assert faults("deleted=true") == ["#/query/deleted"]


def test_cursor_is_passed_unchanged_and_rejected_together_with_page() -> None:
    assert parsed("cursor=abc&page_size=5") == Query(cursor="abc", page_size=5)
    assert faults("cursor=abc&page=1") == ["#/query/cursor"]


def test_repeated_parameter_is_rejected() -> None:
    assert faults("amount=1&amount=2") == ["#/query/amount"]
    assert faults("page=1&page=1") == ["#/query/page"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("amount=%ff", "The query string is not UTF-8."),
        ("%ff=1", "The query string is not UTF-8."),
        ("&".join(f"a{i}=1" for i in range(101)), "The query string has more than 100 parameters."),
    ],
)
def test_unreadable_query_string_is_rejected(query: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parsed(query)
    assert caught.value.detail == detail


def test_detail_truncates_a_long_parameter_name() -> None:
    with pytest.raises(InvalidInput) as caught:
        parsed("x" * 10_000 + "=1")
    assert len(caught.value.detail) < 200


def outcome(query: str) -> list[str] | None:
    """Return the pointers of a query's faults, or None if the query is valid."""
    try:
        parsed(query)
    except InvalidInput as error:
        return [fault["pointer"] for fault in error.errors]
    return None


@given(st.text(), st.text())
def test_any_query_is_parsed_or_rejected_with_a_reason(name: str, value: str) -> None:
    assert outcome(urlencode({name: value}, errors="surrogatepass")) != []


@given(st.sampled_from(sorted(RECORDS)), st.text())
def test_any_value_of_a_known_field_is_parsed_or_rejected_with_its_field(name: str, value: str) -> None:
    pointers = outcome(urlencode({name: value}, errors="surrogatepass"))
    assert pointers in (None, [f"#/query/{name}"], ["#/query"])


def test_sort_by_the_same_field_twice_is_rejected() -> None:
    assert faults("sort=amount,-amount") == ["#/query/sort"]
