"""A list's query string: every rule of the contract's "Lists"."""

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
    """The pointers of what is wrong, each of which its detail names too."""
    with pytest.raises(InvalidInput) as caught:
        parse(query, public, may_see_deleted=admin)
    for fault in caught.value.errors:
        assert fault["pointer"].removeprefix("#/query/").removeprefix("#/query") in fault["detail"]
        assert fault["detail"] in caught.value.detail
    return [fault["pointer"] for fault in caught.value.errors]


def read(query: str, public: dict[str, FieldType] = RECORDS, *, admin: bool = False) -> Query:
    return parse(query, public, may_see_deleted=admin)


def only_filter(query: str, public: dict[str, FieldType] = RECORDS) -> Filter:
    (found,) = read(query, public).filters
    return found


def test_without_a_query_it_is_page_1_of_10_newest_first() -> None:
    assert read("") == Query(page=1, page_size=10, cursor=None, fields=(), sort=(), deleted=False, filters=[])


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("email=Ada@Example.COM", "ada@example.com"),
        ("email=ADE%CC%80LE@example.com", "ad\u00e8le@example.com"),
        ("email__in=%EF%BC%A1da@example.com,b@example.com", ["ada@example.com", "b@example.com"]),
        ("email__like=STRA%C3%9FE@%25", "strasse@%"),
    ],
)
def test_an_emails_filter_folds_its_values_as_a_sign_in_does(query: str, value: object) -> None:
    assert only_filter(query, USERS).value == value


def test_other_text_is_compared_as_it_was_sent() -> None:
    assert only_filter("filename=A.CSV", TASKS).value == "A.CSV"


@pytest.mark.parametrize("size", [1, 100])
def test_a_page_has_1_to_100_rows(size: int) -> None:
    assert read(f"page_size={size}&page=3") == Query(page=3, page_size=size)


@pytest.mark.parametrize("name", ["page", "page_size"])
@pytest.mark.parametrize(
    "value",
    ["0", "-1", "1.5", "", "x", "1e3", "null", "0x10", "٣", "1000000000", "9" * 5000, "+1", "1_0", " 1"],
)
def test_a_page_or_size_that_is_none_is_refused_naming_it(name: str, value: str) -> None:
    assert faults(urlencode({name: value})) == [f"#/query/{name}"]


def test_a_size_of_101_is_refused() -> None:
    assert faults("page_size=101") == ["#/query/page_size"]


@pytest.mark.parametrize(
    "name",
    ["colour", "password_hash", "page__gte", "seq", "type__", "__gte", "amount__gte__lte", "deleted", ""],
)
def test_an_unknown_name_is_refused_naming_it(name: str) -> None:
    assert faults(f"{name}=1") == [f"#/query/{name}"]


def test_a_password_hash_is_no_field_of_a_user() -> None:
    assert faults("password_hash__like=$argon2", USERS) == ["#/query/password_hash__like"]
    assert faults("fields=id,password_hash", USERS) == ["#/query/fields"]
    assert faults("sort=password_hash", USERS) == ["#/query/sort"]


def test_every_fault_is_told_at_once() -> None:
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
def test_any_public_field_is_an_equality_filter_of_its_type(query: str, value: object) -> None:
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
def test_an_ill_typed_value_is_refused_naming_its_field(name: str, value: str) -> None:
    assert faults(urlencode({name: value})) == [f"#/query/{name}"]


@pytest.mark.parametrize(
    ("name", "value"), [("role", "god"), ("role__in", "client,god"), ("email", "a\0b"), ("email__like", "\0")]
)
def test_a_value_that_no_row_can_have_is_refused_naming_its_field(name: str, value: str) -> None:
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
def test_an_operator_works_where_the_type_allows_and_is_unknown_elsewhere(
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


def test_in_takes_a_list_of_at_most_100() -> None:
    assert only_filter("amount__in=1,2.5") == Filter("amount", "in", [Decimal(1), Decimal("2.5")])
    assert len(only_filter("amount__in=" + ",".join(["1"] * VALUES_LIMIT)).value) == 100
    assert faults("amount__in=" + ",".join(["1"] * 101)) == ["#/query/amount__in"]


def test_a_sort_names_fields_each_with_minus_for_descending() -> None:
    assert read("sort=-date,amount").sort == (("date", True), ("amount", False))


@pytest.mark.parametrize(
    "value", ["", "-", "date,,amount", "--date", "+date", "colour", "date desc", "date;--"]
)
def test_a_sort_by_what_is_no_field_is_refused(value: str) -> None:
    assert faults("sort=" + quote(value)) == ["#/query/sort"]


@pytest.mark.parametrize("name", ["arguments", "operation_response"])
def test_json_has_no_order_to_sort_by(name: str) -> None:
    assert faults(f"sort={name}") == ["#/query/sort"]


def test_fields_select_known_fields_once_each() -> None:
    assert read("fields=id,amount,id").fields == ("id", "amount")
    for value in ("", "id,", "colour", "id, amount"):
        assert faults("fields=" + quote(value)) == ["#/query/fields"]


def test_deleted_is_for_admins_and_unknown_to_others() -> None:
    assert read("deleted=true", admin=True).deleted
    assert not read("deleted=false", admin=True).deleted
    assert faults("deleted=maybe", admin=True) == ["#/query/deleted"]
    assert faults("deleted=true") == ["#/query/deleted"]


def test_a_cursor_is_taken_as_it_is_and_not_together_with_a_page() -> None:
    assert read("cursor=abc&page_size=5") == Query(cursor="abc", page_size=5)
    assert faults("cursor=abc&page=1") == ["#/query/cursor"]


def test_a_name_given_twice_is_refused() -> None:
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
def test_a_query_string_that_cant_be_read_is_refused(query: str, detail: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(query)
    assert caught.value.detail == detail


def test_a_very_long_unknown_name_is_cut_in_the_answer() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("x" * 10_000 + "=1")
    assert len(caught.value.detail) < 200


def outcome(query: str) -> list[str] | None:
    """What is wrong with a query, or None when it is read."""
    try:
        read(query)
    except InvalidInput as error:
        return [fault["pointer"] for fault in error.errors]
    return None


@given(st.text(), st.text())
def test_any_query_is_read_or_refused_with_a_reason(name: str, value: str) -> None:
    assert outcome(urlencode({name: value}, errors="surrogatepass")) != []


@given(st.sampled_from(sorted(RECORDS)), st.text())
def test_any_value_of_a_known_field_is_read_or_refused_naming_it(name: str, value: str) -> None:
    pointers = outcome(urlencode({name: value}, errors="surrogatepass"))
    assert pointers in (None, [f"#/query/{name}"], ["#/query"])


def test_a_sort_names_a_field_once() -> None:
    assert faults("sort=amount,-amount") == ["#/query/sort"]
