"""The operations that can be priced, called and batched.

To add one, decorate a function here: its wire name, then how many arguments it takes. It computes
in decimal128 and returns a Decimal or a string; it raises InvalidInput for what it can't do.
"""

import decimal
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.errors import InvalidInput
from shared.operations import random_string as random_org

Result = Decimal | str

DECIMAL128 = decimal.Context(
    prec=34,
    Emin=-6143,
    Emax=6144,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""IEEE 754-2019 decimal128, section 3.6."""


LONGEST_CALL = 200
"""Characters of a call that an error message shows."""

_OUT_OF_RANGE = "The result is out of a double's range."


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the catalog.

    `prepare(n)` readies what n coming calls of it need; `is_remote()` tells whether a call of it
    asks another service, which has a quota or a price of its own.
    """

    name: str
    fewest: int
    most: int
    function: Callable[..., Result]
    summary: str
    prepare: Callable[[int], None] | None
    is_remote: Callable[[], bool]


CATALOG: dict[str, Operation] = {}
ALIASES = {"subtraction": "substraction"}


def operation(
    name: str,
    fewest: int,
    most: int | None = None,
    *,
    prepare: Callable[[int], None] | None = None,
    is_remote: Callable[[], bool] = lambda: False,
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Put a function into the catalog under `name`, taking `fewest` to `most` arguments."""

    def register(function: Callable[..., Result]) -> Callable[..., Result]:
        summary = (function.__doc__ or name).splitlines()[0]
        most_ = fewest if most is None else most
        CATALOG[name] = Operation(name, fewest, most_, function, summary, prepare, is_remote)
        return function

    return register


@operation("addition", 2, 100)
def addition(*numbers: Decimal) -> Decimal:
    """The sum."""
    return sum(numbers, Decimal(0))


@operation("substraction", 2, 100)
def substraction(first: Decimal, *others: Decimal) -> Decimal:
    """The first argument less all the others."""
    for number in others:
        first -= number
    return first


@operation("multiplication", 2)
def multiplication(one: Decimal, other: Decimal) -> Decimal:
    """The product."""
    return one * other


@operation("division", 2)
def division(dividend: Decimal, divisor: Decimal) -> Decimal:
    """The quotient."""
    if divisor == 0:
        raise InvalidInput.at("#/arguments/1", "Division by zero.")
    return dividend / divisor


@operation("square_root", 1)
def square_root(number: Decimal) -> Decimal:
    """The square root."""
    if number < 0:
        raise InvalidInput.at("#/arguments/0", "A negative number has no real square root.")
    return number.sqrt()


@operation("random_string", 0, prepare=random_org.prefetch, is_remote=random_org.is_remote)
def random_string() -> str:
    """A random string of 32 letters and digits."""
    return random_org.next_string()


def find(name: str) -> Operation:
    """The operation of a wire name or an alias. Raises: InvalidInput for an unknown one."""
    found = CATALOG.get(ALIASES.get(name, name))
    if found is None:
        raise InvalidInput.at(
            "#/type", f"There is no operation {name[:64]!r}; there are {', '.join(CATALOG)}."
        )
    return found


def compute(called: Operation, arguments: Sequence[Decimal]) -> Result:
    """The result in decimal128, which can be sent: within a double's range.

    Raises:
        InvalidInput: a wrong number of arguments, one that is no number, or no result.
    """
    with decimal.localcontext(DECIMAL128):
        return compute_here(called, arguments)


def compute_here(called: Operation, arguments: Sequence[Decimal]) -> Result:
    """As `compute`, in the context that is: for a batch, which enters decimal128 once."""
    check(called, arguments)
    return apply(called, [+argument for argument in arguments])


def check(called: Operation, arguments: Sequence[Decimal]) -> None:
    """Raises: InvalidInput for a wrong number of arguments, or one that is out of range."""
    check_count(called, arguments)
    for index, argument in enumerate(arguments):
        if not _sendable(argument):
            raise InvalidInput.at(f"#/arguments/{index}", "Not a finite number within a double's range.")


def check_count(called: Operation, arguments: Sequence[Decimal]) -> None:
    """Raises: InvalidInput for a wrong number of arguments."""
    if not called.fewest <= len(arguments) <= called.most:
        wanted = f"{called.fewest}" if called.fewest == called.most else f"{called.fewest} to {called.most}"
        raise InvalidInput.at(
            "#/arguments", f"{called.name} takes {wanted} argument(s), and {len(arguments)} came."
        )


def apply(called: Operation, arguments: Sequence[Decimal]) -> Result:
    """Return the result for the right number of decimal128 arguments.

    Raises: InvalidInput when the result is undefined or a double can't hold it.
    """
    try:
        result = called.function(*arguments)
    except (decimal.Overflow, OverflowError):
        raise InvalidInput.at("#/arguments", _OUT_OF_RANGE) from None
    except ZeroDivisionError:  # also decimal.DivisionByZero: a finite number divided by zero
        raise InvalidInput.at("#/arguments", "Division by zero.") from None
    except ArithmeticError:
        raise InvalidInput.at("#/arguments", _undefined(called, arguments)) from None
    if isinstance(result, Decimal) and not result.is_finite():
        raise InvalidInput.at("#/arguments", _undefined(called, arguments))
    if isinstance(result, Decimal) and not _sendable(result):
        raise InvalidInput.at("#/arguments", _OUT_OF_RANGE)
    return result


def as_json(result: Result) -> str:
    """The JSON text of a result: a number as the nearest double, whole ones without a point."""
    if isinstance(result, str):
        return json.dumps(result)
    if not result:
        return "0"
    text = str(result)
    # Up to 15 digits are a double's own (IEEE 754-2019, 5.12.2): no need to go through one.
    if len(text) <= 15 and "E" not in text:
        return text.rstrip("0").rstrip(".") if "." in text else text
    number = float(text)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def arguments_json(arguments: Sequence[Decimal]) -> str:
    """The JSON text of arguments as they are computed with: rounded to decimal128; a zero without the
    thousands of places that it may have been written with."""
    return "[" + ", ".join(str(DECIMAL128.plus(argument) or 0) for argument in arguments) + "]"


def _undefined(called: Operation, arguments: Sequence[Decimal]) -> str:
    """Name the call that has no result, such as `power(0, 0) is undefined.`; cut it when it is long."""
    call = f"{called.name}({', '.join(map(str, arguments))})"
    return f"{call if len(call) <= LONGEST_CALL else call[:LONGEST_CALL] + '…)'} is undefined."


def _sendable(number: Decimal) -> bool:
    """Finite, and neither past a double's largest nor below its smallest."""
    if not number.is_finite():
        return False
    if abs(number.adjusted()) < 300:
        return True
    nearest = float(number)
    return math.isfinite(nearest) and (nearest != 0 or number == 0)
