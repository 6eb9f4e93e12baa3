"""Arithmetic: operations that compute in decimal128 and use nothing but their arguments."""

from decimal import Decimal

from shared.errors import InvalidInput
from shared.operations.catalog import operation


@operation("addition", 2, 100)
def addition(*numbers: Decimal) -> Decimal:
    """The sum."""
    return sum(numbers, Decimal(0))


@operation("substraction", 2, 100)
def substraction(first: Decimal, *others: Decimal) -> Decimal:
    """The first argument minus all others."""
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
