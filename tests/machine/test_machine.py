"""The short form of the machine. The long one is `make chaos`."""

from collections.abc import Iterator

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.hunt import SHORT, SHORT_SEED, machines, missing
from tests.machine.machine import Machine


@pytest.fixture
def machine() -> Iterator[type[Machine]]:
    with machines() as machine:
        yield machine


def test_whatever_is_done_in_whatever_order_comes_out_as_the_model_foretells(machine: type[Machine]) -> None:
    run_state_machine_as_test(seed(SHORT_SEED)(machine), settings=SHORT)
    assert missing(machine.service.outcomes) == [], "what never happened is not tested: choose another seed"
