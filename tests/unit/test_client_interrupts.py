"""The signals that end a command of the command line."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from restcalc.cli.interrupts import interrupts_delayed, termination_ignored, termination_interrupts

TERMINATIONS = pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])


@contextmanager
def handled_by(name: str, handler: signal.Handlers) -> Iterator[signal.Signals]:
    number = signal.Signals[name]
    previous = signal.signal(number, handler)
    try:
        yield number
        assert signal.getsignal(number) == handler
    finally:
        signal.signal(number, previous)


@TERMINATIONS
def test_termination_interrupts_and_then_has_its_former_effect(name: str) -> None:
    with handled_by(name, signal.SIG_DFL) as number, pytest.raises(KeyboardInterrupt):  # noqa: SIM117
        with termination_interrupts():
            signal.raise_signal(number)


@TERMINATIONS
def test_ignored_signal_stays_ignored(name: str) -> None:
    with handled_by(name, signal.SIG_IGN) as number, termination_interrupts():
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_delayed_signal_interrupts_at_the_end(name: str) -> None:
    steps = list[str]()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with interrupts_delayed():
            signal.raise_signal(signal.Signals[name])
            steps.append("done")
        steps.append("not reached")
    assert steps == ["done"]


@TERMINATIONS
def test_termination_during_the_cleanup_is_ignored(name: str) -> None:
    with termination_interrupts(), termination_ignored():
        signal.raise_signal(signal.Signals[name])
