"""The operations: what they compute, which arguments they reject, and how results become JSON."""

import decimal
import json
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.operations import catalog

D = Decimal
numbers = st.decimals(min_value=D("-1e60"), max_value=D("1e60"), allow_nan=False, allow_infinity=False)


def compute(name: str, *arguments: str | Decimal) -> catalog.Result:
    return catalog.compute(catalog.find(name), [D(argument) for argument in arguments])


def rejection(name: str, *arguments: str) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        compute(name, *arguments)
    (fault,) = caught.value.errors
    return dict(fault)


def rounded(exact: Fraction) -> Decimal:
    """Return the decimal128 number nearest to a fraction."""
    return catalog.DECIMAL128.divide(D(exact.numerator), D(exact.denominator))


@pytest.fixture
def own_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "CATALOG", dict(catalog.CATALOG))


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("addition", ["0.1", "0.2"], "0.3"),
        ("addition", ["1"] * 100, "100"),
        ("addition", ["1e30", "1", "-1e30"], "1"),
        ("substraction", ["10", "3", "2"], "5"),
        ("substraction", ["0.3", "0.1"], "0.2"),
        ("multiplication", ["-1.5", "4"], "-6"),
        ("division", ["1", "3"], "0.3333333333333333333333333333333333"),
        ("division", ["2", "3"], "0.6666666666666666666666666666666667"),
        ("square_root", ["2"], "1.414213562373095048801688724209698"),
        ("square_root", ["0"], "0"),
    ],
)
def test_results_have_decimal128_precision(name: str, arguments: list[str], result: str) -> None:
    assert compute(name, *arguments) == D(result)


@given(numbers, numbers)
def test_addition_is_the_exact_sum_rounded_to_34_digits(a: Decimal, b: Decimal) -> None:
    a, b = catalog.DECIMAL128.plus(a), catalog.DECIMAL128.plus(b)
    assert compute("addition", a, b) == rounded(Fraction(a) + Fraction(b))


@given(numbers, numbers)
def test_substraction_is_the_exact_difference_rounded_to_34_digits(a: Decimal, b: Decimal) -> None:
    a, b = catalog.DECIMAL128.plus(a), catalog.DECIMAL128.plus(b)
    assert compute("substraction", a, b) == rounded(Fraction(a) - Fraction(b))


@given(numbers, numbers)
def test_multiplication_is_the_exact_product_rounded_to_34_digits(a: Decimal, b: Decimal) -> None:
    a, b = catalog.DECIMAL128.plus(a), catalog.DECIMAL128.plus(b)
    assert compute("multiplication", a, b) == rounded(Fraction(a) * Fraction(b))


@given(numbers, numbers.filter(bool))
def test_division_is_the_exact_quotient_rounded_to_34_digits(a: Decimal, b: Decimal) -> None:
    a, b = catalog.DECIMAL128.plus(a), catalog.DECIMAL128.plus(b)
    assert compute("division", a, b) == rounded(Fraction(a) / Fraction(b))


@given(numbers.filter(lambda number: number > 0))
def test_square_root_is_within_half_a_unit_of_the_34th_digit(number: Decimal) -> None:
    number = catalog.DECIMAL128.plus(number)
    root = compute("square_root", number)
    assert isinstance(root, Decimal)
    half = Fraction(10) ** (root.adjusted() - 33) / 2
    assert (Fraction(root) - half) ** 2 <= Fraction(number) <= (Fraction(root) + half) ** 2


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("addition", 1),
        ("addition", 101),
        ("substraction", 1),
        ("substraction", 101),
        ("multiplication", 1),
        ("multiplication", 3),
        ("division", 1),
        ("division", 3),
        ("square_root", 0),
        ("square_root", 2),
        ("random_string", 1),
    ],
)
def test_wrong_argument_count_is_rejected_with_both_counts(name: str, count: int) -> None:
    fault = rejection(name, *["1"] * count)
    assert fault["pointer"] == "#/arguments"
    assert f"{count}." in fault["detail"]


def test_division_by_zero_is_rejected_at_the_divisor() -> None:
    assert rejection("division", "1", "0.0") == {"pointer": "#/arguments/1", "detail": "Division by zero."}


def test_square_root_of_a_negative_is_rejected_at_the_argument() -> None:
    assert rejection("square_root", "-0.01")["pointer"] == "#/arguments/0"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("addition", ["1e308", "1e308"]),
        ("substraction", ["-1e308", "1e308"]),
        ("multiplication", ["1e200", "1e200"]),
        ("multiplication", ["1e-200", "1e-200"]),
        ("division", ["1e-200", "1e200"]),
        ("division", ["1e300", "1e-300"]),
    ],
)
def test_result_outside_the_range_of_a_double_is_rejected(name: str, arguments: list[str]) -> None:
    assert rejection(name, *arguments)["pointer"] == "#/arguments"


@pytest.fixture
def power(own_catalog: None) -> None:
    """Register the example operation of the README."""

    @catalog.operation("power", 2)
    def power(base: Decimal, exponent: Decimal) -> Decimal:
        return base**exponent


@pytest.mark.parametrize(
    ("base", "exponent", "reason"),
    [
        ("0", "0", "power(0, 0) is undefined."),
        ("-8", "0.5", "power(-8, 0.5) is undefined."),
        ("0", "-1", "power(0, -1) is undefined."),
        ("10", "7000", "The result is out of a double's range."),
    ],
)
def test_undefined_power_is_rejected_with_its_reason(
    power: None, base: str, exponent: str, reason: str
) -> None:
    assert rejection("power", base, exponent) == {"pointer": "#/arguments", "detail": reason}


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda a: a / 0, "Division by zero."),
        (lambda a: D(int(a) // 0), "Division by zero."),
        (lambda a: (a - a) / 0, "odd(5) is undefined."),
        (lambda a: (a - 6).ln(), "odd(5) is undefined."),
        (lambda a: D(10**5000) % a, "odd(5) is undefined."),
        (lambda a: D("NaN"), "odd(5) is undefined."),
        (lambda a: D("Infinity"), "odd(5) is undefined."),
        (lambda a: D(math.exp(1000 * a)), "The result is out of a double's range."),
    ],
    ids=["x/0", "int x//0", "0/0", "ln(-1)", "huge % x", "NaN", "Infinity", "float overflow"],
)
def test_failing_operation_is_rejected_with_its_reason(
    own_catalog: None, function: Callable[[Decimal], Decimal], reason: str
) -> None:
    catalog.operation("odd", 1)(function)
    assert rejection("odd", "5")["detail"] == reason


def test_reason_of_a_long_call_is_truncated(own_catalog: None) -> None:
    catalog.operation("odd", 2, 100)(lambda *a: D("NaN"))
    assert len(rejection("odd", *["1" * 34] * 100)["detail"]) < 250


@pytest.mark.parametrize("argument", ["1e309", "-1e400", "1e-400", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_argument_outside_the_range_of_a_double_is_rejected_with_its_pointer(argument: str) -> None:
    assert rejection("addition", "1", argument)["pointer"] == "#/arguments/1"


def test_arguments_are_rounded_to_34_digits_before_computing() -> None:
    assert compute("substraction", "1." + "0" * 40 + "1", "1") == 0


def test_compute_ignores_and_keeps_the_callers_decimal_context() -> None:
    with decimal.localcontext(prec=3) as context:
        assert compute("addition", "1", "0.00001") == D("1.00001")
        assert context.prec == 3


def test_unknown_operation_is_rejected_with_the_known_names() -> None:
    with pytest.raises(InvalidInput) as caught:
        catalog.find("modulo" * 1000)
    (fault,) = caught.value.errors
    assert fault["pointer"] == "#/type"
    assert all(name in fault["detail"] for name in catalog.CATALOG)
    assert len(fault["detail"]) < 300


def test_subtraction_is_an_alias_of_substraction() -> None:
    assert catalog.find("subtraction") is catalog.find("substraction")
    assert catalog.find("subtraction").name == "substraction"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (D("0.3"), "0.3"),
        (D("3.000"), "3"),
        (D("-0"), "0"),
        (D("1e22"), "1e+22"),
        (D(2) ** 53, "9007199254740992.0"),
        (D("9007199254740991"), "9007199254740991"),
        (D("0.3333333333333333333333333333333333"), "0.3333333333333333"),
        ("abc", '"abc"'),
        ('a"b', '"a\\"b"'),
    ],
)
def test_result_is_serialized_as_the_nearest_json_number(result: catalog.Result, text: str) -> None:
    assert catalog.as_json(result) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_serialized_result_parses_to_the_same_double(number: float) -> None:
    assert float(json.loads(catalog.as_json(D(repr(number))))) == number


@given(st.lists(numbers))
def test_recorded_arguments_are_json_of_the_numbers_used(arguments: list[Decimal]) -> None:
    read = json.loads(catalog.arguments_json(arguments), parse_float=D, parse_int=D)
    assert read == [catalog.DECIMAL128.plus(argument) for argument in arguments]


def test_random_strings_have_32_letters_or_digits_and_are_unique() -> None:
    strings = {compute("random_string") for _ in range(1000)}
    assert len(strings) == 1000
    assert all(
        isinstance(text, str) and len(text) == 32 and text.isalnum() and text.isascii() for text in strings
    )


@pytest.mark.usefixtures("own_catalog")
def test_decorator_alone_adds_an_operation() -> None:
    @catalog.operation("mean", 1, 10)
    def mean(*numbers: Decimal) -> Decimal:
        """The arithmetic mean."""
        return sum(numbers, D(0)) / len(numbers)

    assert compute("mean", "1", "2") == D("1.5")
    assert catalog.find("mean").summary == "The arithmetic mean."
    assert rejection("mean")["pointer"] == "#/arguments"
