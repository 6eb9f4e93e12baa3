"""JSON with exact decimals."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import exact_json, metrics

D = Decimal
EXACT = "12345678901234.5678"
"""Eighteen digits; the nearest double is 12345678901234.568."""

decimals = st.decimals(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | decimals,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_serialized_value_parses_to_the_same_value(value: Any) -> None:
    assert json.loads(exact_json.dumps(value), parse_float=D, parse_int=D) == value


@given(st.recursive(decimals | st.text(), lambda inner: st.lists(inner)))
def test_parsed_number_keeps_its_digits(value: Any) -> None:
    text = exact_json.dumps(value)
    assert exact_json.dumps(exact_json.loads(text)) == text


def test_decimal_keeps_its_digits_at_any_depth() -> None:
    assert exact_json.dumps({"a": [{"b": D(EXACT)}, D("0.0001")]}) == f'{{"a" : [{{"b" : {EXACT}}}, 0.0001]}}'


@pytest.mark.parametrize("value", [D("NaN"), D("-Infinity"), float("inf"), [float("nan")]])
def test_number_that_json_cannot_represent_raises_value_error(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        exact_json.dumps(value)


def test_metrics_keep_all_digits_of_credits(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("addition", CreditsCharged=D(EXACT))
    assert f'"CreditsCharged" : {EXACT}}}' in capsys.readouterr().out
