"""The calls that a file can make, by the name in its first cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from shared.errors import InvalidInput
from shared.operations.catalog import ALIASES, CATALOG, INTEGER_LIMIT, Operation, as_json, plain_as_json
from worker.argument_cells import Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """An operation as the rows of a file call it, or the call of an unknown one, without a name.

    `compute` returns the results for the lists of numbers of plain cells as JSON. A result is None if its row
    must be computed alone, which rejects the row with a reason or finds the result another way.
    """

    name: str | None
    operation: Operation | None
    compute: Callable[[Sequence[Numbers]], Sequence[str | None]]

    @property
    def ignores_arguments(self) -> bool:
        return self.operation is not None and self.operation.ignores_arguments


UNKNOWN = Call(None, None, lambda lists: [None] * len(lists))


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


def _computed(operation: Operation) -> Callable[[Sequence[Numbers]], Sequence[str | None]]:
    function, low, high = operation.function, operation.min_arguments, operation.max_arguments
    if not operation.accepts_integers:
        function = lambda *numbers: operation.function(*map(Decimal, numbers))  # noqa: E731

    def compute(lists: Sequence[Numbers]) -> Sequence[str | None]:
        counts = set(map(len, lists))
        valid: Sequence[Numbers | None] = lists
        if min(counts) < low or max(counts) > high:
            valid = [numbers if low <= len(numbers) <= high else None for numbers in lists]
        results, rest = list[Any](), iter(valid)
        while len(results) < len(lists):
            try:
                for numbers in rest:
                    results.append(None if numbers is None else function(*numbers))
            except (InvalidInput, ArithmeticError):
                results.append(None)
        if None not in results:
            return _as_json(results)
        texts = iter(_as_json([result for result in results if result is not None]))
        return [None if result is None else next(texts) for result in results]

    return compute


def _as_json(results: Sequence[Any]) -> Sequence[str | None]:
    """Return the same as `plain_as_json` for each result. Results of one type take a third of the time."""
    types = set(map(type, results))
    if types == {int} and -INTEGER_LIMIT < min(results) <= max(results) < INTEGER_LIMIT:
        return list(map(str, results))
    if types == {float} and min(map(abs, results)) >= 0.0001:
        return [text.removesuffix(".0") for text in map(repr, results)]
    if types == {str}:
        return list(map(as_json, results))
    if types <= {int, Decimal}:
        texts = list(map(str, results))
        joined = "".join(texts)
        if joined.upper() == joined.lower():  # neither exponents nor NaN
            # As in `as_json`.
            return [
                (text.rstrip("0").rstrip(".") if "." in text else text)
                if len(text) <= 15 and text[:2] != "-0"
                else plain_as_json(result)
                for text, result in zip(texts, results, strict=True)
            ]
    return list(map(plain_as_json, results))
