"""The registry of operations: look one up, validate its arguments, compute it, and write its result as JSON.

The functions themselves are in the other modules of this package, one module for each kind of operation.
"""

import decimal
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, cast

from shared.errors import InvalidInput

Result = Decimal | str

DECIMAL128 = decimal.Context(
    prec=34,
    Emin=-6143,
    Emax=6144,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""IEEE 754-2019 decimal128, section 3.6."""

INTEGER_LIMIT = 10**15
"""Operations accept ints whose absolute value is below this. A double holds each of them exactly."""

CALL_TEXT_LIMIT = 200
"""Error messages truncate the text of a call to this many characters."""

_quote = json.encoder.encode_basestring_ascii
_OUT_OF_RANGE = "The result is out of a double's range."


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the catalog.

    `prepare(n)` fetches in advance what the next n calls need. `is_remote()` returns whether a call uses
    an external service, which has its own quota or price. With `ignores_arguments`, arguments of a
    call are dropped. With `accepts_integers`, a batch calls the function with ints (see `operation`).
    """

    name: str
    min_arguments: int
    max_arguments: int
    function: Callable[..., Result | float]
    summary: str
    prepare: Callable[[int], None] | None
    is_remote: Callable[[], bool]
    ignores_arguments: bool
    accepts_integers: bool


CATALOG: dict[str, Operation] = {}
ALIASES = {"subtraction": "substraction"}
"""Catalog names by alias. `substraction` is misspelled, but it is the operation's name in the API."""


Function = TypeVar("Function", bound=Callable[..., Result | float])


def operation(
    name: str,
    min_arguments: int,
    max_arguments: int | None = None,
    *,
    prepare: Callable[[int], None] | None = None,
    is_remote: Callable[[], bool] = lambda: False,
    ignores_arguments: bool = False,
    accepts_integers: bool = False,
) -> Callable[[Function], Function]:
    """Register a function in the catalog.

    The function computes in decimal128 and returns a Decimal or a string. It raises InvalidInput for
    arguments that it rejects. The first line of its docstring is the operation's description in OpenAPI.

    Args:
        name: the operation's type in requests, price list and CSV files.
        min_arguments: the fewest arguments that a call may have.
        max_arguments: the most that a call may have; by default, `min_arguments`.
        accepts_integers: whether the function also accepts ints below INTEGER_LIMIT, in place of some or all
            Decimals. It then returns an exact int below 10^34, a Decimal, or the double nearest to the exact
            result. A batch saves the time to create Decimals.
    """

    def register(function: Function) -> Function:
        summary = (function.__doc__ or name).splitlines()[0]
        limit = min_arguments if max_arguments is None else max_arguments
        CATALOG[name] = Operation(
            name,
            min_arguments,
            limit,
            function,
            summary,
            prepare,
            is_remote,
            ignores_arguments,
            accepts_integers,
        )
        return function

    return register


def find(name: str) -> Operation:
    """Return the operation with this name or alias. Raises: InvalidInput if there is none."""
    found = CATALOG.get(ALIASES.get(name, name))
    if found is None:
        raise InvalidInput.at(
            "#/type", f"Unknown operation {name[:64]!r}. The operations are {', '.join(CATALOG)}."
        )
    return found


def compute(called: Operation, arguments: Sequence[Decimal]) -> Result:
    """Validate the arguments, compute in decimal128, and return the result.

    Raises:
        InvalidInput: the number of arguments is wrong, the result is undefined, or an argument or the
            result is outside a double's range.
    """
    with decimal.localcontext(DECIMAL128):
        return compute_in_current_context(called, arguments)


def compute_in_current_context(called: Operation, arguments: Sequence[Decimal]) -> Result:
    """Like `compute`, but the caller has entered DECIMAL128: a batch does so once for all rows."""
    check(called, arguments)
    return apply(called, [+argument for argument in arguments])


def used_arguments(called: Operation, sent: Sequence[Decimal]) -> Sequence[Decimal]:
    """Return the arguments that a call computes with and records: none if the operation ignores them."""
    return [] if called.ignores_arguments else sent


def check(called: Operation, arguments: Sequence[Decimal]) -> None:
    """Validate arguments. Raises: InvalidInput for a wrong number, or one outside a double's range."""
    check_count(called, arguments)
    for index, argument in enumerate(arguments):
        if not _fits_a_double(argument):
            raise InvalidInput.at(
                f"#/arguments/{index}", "Send a finite number within the range of a double."
            )


def check_count(called: Operation, arguments: Sequence[Decimal]) -> None:
    """Validate the number of arguments. Raises: InvalidInput."""
    low, high = called.min_arguments, called.max_arguments
    if not low <= len(arguments) <= high:
        wanted = f"{low}" if low == high else f"{low} to {high}"
        raise InvalidInput.at(
            "#/arguments", f"{called.name} takes {wanted} argument(s), but got {len(arguments)}."
        )


def apply(called: Operation, arguments: Sequence[Decimal]) -> Result:
    """Call the operation's function and return its result. The caller has validated the arguments.

    Raises: InvalidInput when the result is undefined or a double can't hold it.
    """
    try:
        result = cast(Result, called.function(*arguments))
    except (decimal.Overflow, OverflowError):
        raise InvalidInput.at("#/arguments", _OUT_OF_RANGE) from None
    except ZeroDivisionError:  # also decimal.DivisionByZero: a finite number divided by zero
        raise InvalidInput.at("#/arguments", "Division by zero.") from None
    except ArithmeticError:
        raise InvalidInput.at("#/arguments", _undefined(called, arguments)) from None
    if isinstance(result, Decimal) and not result.is_finite():
        raise InvalidInput.at("#/arguments", _undefined(called, arguments))
    if isinstance(result, Decimal) and not _fits_a_double(result):
        raise InvalidInput.at("#/arguments", _OUT_OF_RANGE)
    return result


def as_json(result: Result) -> str:
    """Return a result as JSON: a number becomes the nearest double, a whole one has no decimal point."""
    if isinstance(result, str):
        return _quote(result)
    if not result:
        return "0"
    text = str(result)
    # A double holds any 15 digits exactly (IEEE 754-2019, 5.12.2), so skip the slower conversion.
    if len(text) <= 15 and "E" not in text:
        return text.rstrip("0").rstrip(".") if "." in text else text
    number = float(text)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def plain_as_json(result: Result | int | float) -> str | None:
    """Return the result of a function that `accepts_integers` as `as_json` returns that for Decimals.

    The double nearest to a quotient or square root of ints is also the one nearest to its 34 digits: for ints
    below 2^53, the exact result is not halfway between two doubles, and rounding does not move it past there.

    Returns:
        The JSON, or None if only `apply` and `as_json` can decide: a result that may be out of range, or one
        that they write in another notation.
    """
    if isinstance(result, int):
        return str(result) if -INTEGER_LIMIT < result < INTEGER_LIMIT else as_json(Decimal(result))
    if isinstance(result, float):
        if result.is_integer():
            return str(int(result))
        return repr(result) if abs(result) >= 0.0001 else None
    if isinstance(result, str):
        return _quote(result)
    return as_json(result) if result.is_finite() and -300 < result.adjusted() < 300 else None


def arguments_json(arguments: Sequence[Decimal]) -> str:
    """Return arguments as JSON, rounded to decimal128 as the computation does.

    Every zero becomes 0, because a zero may have been sent with thousands of decimal places.
    """
    return "[" + ", ".join(str(DECIMAL128.plus(argument) or 0) for argument in arguments) + "]"


def _undefined(called: Operation, arguments: Sequence[Decimal]) -> str:
    """Return the error message for a call without a result, such as `power(0, 0) is undefined.`."""
    call = f"{called.name}({', '.join(map(str, arguments))})"
    return f"{call if len(call) <= CALL_TEXT_LIMIT else call[:CALL_TEXT_LIMIT] + '…)'} is undefined."


def _fits_a_double(number: Decimal) -> bool:
    """Whether a number is finite and rounds to a finite double, and to zero only if it is zero."""
    if not number.is_finite():
        return False
    if abs(number.adjusted()) < 300:
        return True
    nearest = float(number)
    return math.isfinite(nearest) and (nearest != 0 or number == 0)
