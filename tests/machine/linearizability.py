"""Check that the model explains an observed response, a crash, or the outcome of two concurrent actions."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import isclose
from typing import Any

from tests.machine.model import ANY_STRING, Expected, Model, Steps
from tests.machine.service import dies
from tests.support.batch.stage import AFTER, BEFORE, Fault
from tests.support.functions import Response

LENGTH_OF_RANDOM_STRINGS = 32


@dataclass(frozen=True)
class ExecutedAction:
    """An executed action: its steps in the model, and its response. Deliveries have no response."""

    steps: Callable[[Model], Steps]
    response: Response | None


def _no_steps(model: Model) -> Steps:
    yield from ()
    return None


NOTHING = ExecutedAction(_no_steps, None)


@dataclass(frozen=True)
class Crash:
    """Kills a process before or after the nth time that it sends a given request (`step`)."""

    step: str
    moment: str
    nth: int = 1
    dry_run: bool = False
    """Whether the process prices the rows of a dry run."""

    def fault(self) -> Fault:
        step = "end_quote" if self.dry_run and self.step == "end_chunk" else self.step
        return Fault(step, self.moment, dies, self.nth)

    def play(self, steps: Steps) -> bool:
        """Execute the steps that are committed before the kill. Return whether the kill is reached."""
        committing, moment, nth = self._committed()
        for name in steps:
            nth -= name in committing
            if nth == 0:
                if moment == AFTER:
                    next(steps, None)
                return True
        return False

    def _committed(self) -> tuple[tuple[str, ...], str, int]:
        """Return the step of the model: one transaction, or one request that changes state."""
        match self.step:
            case "start_task":  # the first commit belongs to it
                return ("commit",), BEFORE, 1
            case "end_chunk":
                return ("commit",), BEFORE, self.nth + 1
            case "complete results":
                return (
                    (
                        ("end_results",)
                        if self.dry_run
                        else ("complete_task", "end_results", "complete_export")
                    ),
                    BEFORE,
                    1,
                )
        return (self.step,), self.moment, self.nth


def mismatch(expected: Expected | None, response: Response | None) -> str:
    """Return how the response differs from the prediction, or "" if it does not."""
    if expected is None or response is None:
        return "" if expected is response else f"{expected} and {response}"
    if (response.status, response.replayed) != (expected.status, expected.replayed):
        return f"{expected} was predicted, got {response}"
    if expected.problem and response.body["type"] != f"/problems/{expected.problem}":
        return f"{expected} was predicted, got {response}"
    for name, value in expected.members.items():
        if not _same(response.body.get(name), value):
            return f"{name} {value} was predicted, got {response}"
    return ""


def linearize(model: Model, actions: Sequence[ExecutedAction], stored: Any) -> Model | None:
    """Return the model after at most two concurrent actions, or None if it cannot explain them.

    Tries every order of their steps for one that produces these responses and this database content.
    """
    one, other = (*actions, NOTHING, NOTHING)[:2]
    for first, second in ((one, other), (other, one)):
        for cut in count():
            after = copy.deepcopy(model)
            steps = first.steps(after)
            # The model executes a step when the generator is resumed.
            if cut and not all(next(steps, None) for _ in range(cut + 1)):
                break
            inner, outer = finish(second.steps(after)), finish(steps)
            if mismatch(inner, second.response) or mismatch(outer, first.response):
                continue
            if after.expected_state() == stored:
                return after
    return None


def finish(steps: Steps) -> Expected | None:
    """Execute all remaining steps and return the predicted response."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            response: Expected | None = end.value
            return response


def _same(value: Any, expected: Any) -> bool:
    if expected == ANY_STRING:
        return isinstance(value, str) and len(value) == LENGTH_OF_RANDOM_STRINGS
    if isinstance(expected, float):
        return isclose(value, expected, rel_tol=1e-15)
    return bool(value == expected)
