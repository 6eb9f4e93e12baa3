"""Arithmetic: operations that compute in decimal128 and use nothing but their arguments.

All accept ints too: sums, differences and products of ints are exact, and Python's quotients and square roots
of ints are the nearest doubles.
"""

import math
from decimal import Decimal

from shared.errors import InvalidInput
from shared.operations.catalog import operation

Number = Decimal | int


@operation("addition", 2, 100, accepts_integers=True)
def addition(*numbers: Number) -> Number:
    """The sum."""
    return sum(numbers)


@operation("substraction", 2, 100, accepts_integers=True)
def substraction(first: Number, *others: Number) -> Number:
    """The first argument minus all others."""
    for number in others:
        first -= number
    return first


@operation("multiplication", 2, accepts_integers=True)
def multiplication(one: Number, other: Number) -> Number:
    """The product."""
    return one * other


@operation("division", 2, accepts_integers=True)
def division(dividend: Number, divisor: Number) -> Number | float:
    """The quotient."""
    if divisor == 0:
        raise InvalidInput.at("#/arguments/1", "Division by zero.")
    return dividend / divisor


@operation("square_root", 1, accepts_integers=True)
def square_root(number: Number) -> Decimal | float:
    """The square root."""
    if number < 0:
        raise InvalidInput.at("#/arguments/0", "A negative number has no real square root.")
    return math.sqrt(number) if isinstance(number, int) else number.sqrt()
