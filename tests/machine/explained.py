"""Whether the model explains what was seen: an answer, a death, two things that were done at once."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from math import isclose
from typing import Any

from tests.machine.model import ANY_STRING, Expected, Model, Steps
from tests.machine.service import Answer, dies
from tests.support.batch.stage import AFTER, BEFORE, Fault

LENGTH_OF_RANDOM_STRINGS = 32


@dataclass(frozen=True)
class Thing:
    """Something that was done, as the model does it, and the answer, if it is of the kind that has one."""

    steps: Callable[[Model], Steps]
    answer: Answer | None


def _no_steps(model: Model) -> Steps:
    yield from ()
    return None


NOTHING = Thing(_no_steps, None)


@dataclass(frozen=True)
class Crash:
    """A kill at the nth time that a step of the wire is before its passing or after it."""

    step: str
    moment: str
    nth: int = 1

    def fault(self) -> Fault:
        return Fault(self.step, self.moment, dies, self.nth)

    def play(self, steps: Steps) -> bool:
        """Let the model do what is committed before the kill; whether it comes to the kill at all."""
        step, moment, nth = self._committed()
        for name in steps:
            nth -= name == step
            if nth == 0:
                if moment == AFTER:
                    next(steps, None)
                return True
        return False

    def _committed(self) -> tuple[str, str, int]:
        """The model's step, which is one transaction or one request that changes anything."""
        match self.step:
            case "start_task":  # the first commit is of this
                return "commit", BEFORE, 1
            case "end_chunk":
                return "commit", BEFORE, self.nth + 1
            case "complete results":
                return "complete_task", BEFORE, 1
        return self.step, self.moment, self.nth


def mismatch(expected: Expected | None, answer: Answer | None) -> str:
    """What an answer has otherwise than it should; "" when it is as foretold."""
    if expected is None or answer is None:
        return "" if expected is answer else f"{expected} and {answer}"
    if (answer.status, answer.replayed) != (expected.status, expected.replayed):
        return f"{expected} was foretold: {answer}"
    if expected.problem and answer.body["type"] != f"/problems/{expected.problem}":
        return f"{expected} was foretold: {answer}"
    for name, value in expected.members.items():
        if not _same(answer.body.get(name), value):
            return f"{name} {value} was foretold: {answer}"
    return ""


def explanation(model: Model, things: Sequence[Thing], truth: Any) -> Model | None:
    """The model after two things at the most that were done at once: after some order of their steps
    that gives these answers and these books; None if no order does.
    """
    one, other = (*things, NOTHING, NOTHING)[:2]
    for first, second in ((one, other), (other, one)):
        for cut in count():
            after = copy.deepcopy(model)
            steps = first.steps(after)
            # A step is done when the next one is asked for.
            if cut and not all(next(steps, None) for _ in range(cut + 1)):
                break
            inner, outer = finish(second.steps(after)), finish(steps)
            if mismatch(inner, second.answer) or mismatch(outer, first.answer):
                continue
            if after.books() == truth:
                return after
    return None


def finish(steps: Steps) -> Expected | None:
    """Let the model do all that is left, and foretell the answer."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            answer: Expected | None = end.value
            return answer


def _same(value: Any, expected: Any) -> bool:
    if expected == ANY_STRING:
        return isinstance(value, str) and len(value) == LENGTH_OF_RANDOM_STRINGS
    if isinstance(expected, float):
        return isclose(value, expected, rel_tol=1e-15)
    return bool(value == expected)
