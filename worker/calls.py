"""The calls that a file can make, by the name in its first cell."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.errors import InvalidInput
from shared.operations.catalog import ALIASES, CATALOG, Operation, plain_as_json
from worker.argument_cells import Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An operation as the rows of a file call it, or the call of an unknown one, without a name.

    `compute` returns the result for the numbers of a plain cell as JSON. It returns None if the row must be
    computed alone, which rejects it with a reason or finds the result another way.
    """

    name: str | None
    operation: Operation | None
    compute: Callable[[Numbers | None], str | None]


UNKNOWN = Call(None, None, lambda numbers: None)


class Calls(dict[str, Call]):
    """The calls by name. Names with spaces around them and aliases are found too, and others are UNKNOWN.

    Args:
        dry_run: whether remote operations only validate their arguments and return an empty string.
    """

    def __init__(self, dry_run: bool) -> None:
        for name, operation in CATALOG.items():
            if dry_run and operation.is_remote():
                operation = replace(operation, function=lambda *_: "", prepare=None)
            self[name] = Call(name, operation, _computed(operation))
        self.update({alias: self[name] for alias, name in ALIASES.items()})

    def __missing__(self, name: str) -> Call:
        return self.get(name.strip(), UNKNOWN)


def _computed(operation: Operation) -> Callable[[Numbers | None], str | None]:
    function, low, high = operation.function, operation.min_arguments, operation.max_arguments
    accepts_integers = operation.accepts_integers

    def compute(numbers: Numbers | None) -> str | None:
        if numbers is None or not low <= len(numbers) <= high:
            return None
        try:
            if accepts_integers:
                return plain_as_json(function(*numbers))
            return plain_as_json(function(*map(Decimal, numbers)))
        except (InvalidInput, ArithmeticError):
            return None

    return compute
