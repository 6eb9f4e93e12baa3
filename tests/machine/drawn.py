"""What Hypothesis draws: small numbers of everything, so that what is done meets what was done."""

from decimal import Decimal

from hypothesis import strategies as st

from tests.batch.stage import AFTER, BEFORE
from tests.machine.actions import (
    Cancel,
    ChangePrice,
    Charge,
    CorrectRecord,
    DeleteRecord,
    DeleteUser,
    Grant,
    Price,
    Resume,
    SetBalance,
    Unprice,
    WriteRecord,
)
from tests.machine.explained import Crash
from tests.machine.model import ARGUMENTS

WHICH = st.integers(0, 7)
"""One of those that there are; past the last one comes the first again."""
EMAILS = st.sampled_from([f"{number}@example.com" for number in range(4)])
OPERATIONS = st.sampled_from(list(ARGUMENTS))
CALLED = st.sampled_from([*ARGUMENTS, "addition", "subtraction", "cube"])
NUMBERS = st.sampled_from([Decimal(text) for text in ("0", "1", "2", "3", "-4", "0.1", "0.25", "1e6")])
KEYS = st.sampled_from([None, "one", "two", "three"])
COSTS = st.sampled_from([Decimal(text) for text in ("5", "5", "1.5", "0.0001", "0", "19.9999", "1000")])
BALANCES = st.sampled_from([Decimal(text) for text in ("0", "0.0001", "4.9999", "12.5", "30", "1000")])
AMOUNTS = st.sampled_from([Decimal(text) for text in ("10", "0.0001", "100", "-0.5", "-5", "-100")])
ROWS = st.lists(st.tuples(CALLED, st.lists(NUMBERS, max_size=3).map(tuple)), max_size=11)

CALLS = st.builds(
    Charge,
    who=WHICH,
    operation=CALLED,
    arguments=st.lists(NUMBERS, min_size=1, max_size=2).map(tuple) | st.just(()),
    key=KEYS,
)
GRANTS = st.builds(Grant, who=WHICH, amount=AMOUNTS, key=KEYS)
BALANCES_SET = st.builds(SetBalance, who=WHICH, balance=BALANCES)
PRICES = (
    st.builds(ChangePrice, operation=OPERATIONS, cost=COSTS)
    | st.builds(Price, operation=OPERATIONS, cost=COSTS)
    | st.builds(Unprice, operation=OPERATIONS)
)
DELETIONS = st.builds(DeleteUser, client=WHICH)
CORRECTIONS = (
    st.builds(WriteRecord, who=WHICH, operation=OPERATIONS, amount=AMOUNTS)
    | st.builds(CorrectRecord, record=WHICH, to=WHICH, amount=AMOUNTS)
    | st.builds(DeleteRecord, record=WHICH)
)
STOPS = st.builds(Cancel, task=WHICH, by=WHICH) | st.builds(Resume, task=WHICH, by=WHICH)
# By the admin, who may always.
CANCELS = st.builds(Cancel, task=WHICH, by=st.just(0))
INTERRUPTIONS = CANCELS | CANCELS | STOPS | DELETIONS | BALANCES_SET | PRICES | CALLS
ANYTHING = CALLS | CALLS | GRANTS | BALANCES_SET | PRICES | STOPS | DELETIONS | CORRECTIONS

MOMENTS = st.sampled_from([BEFORE, AFTER])
CRASHES = st.one_of(
    st.builds(Crash, st.just("start_task"), MOMENTS),
    st.builds(Crash, st.just("commit"), MOMENTS, st.integers(1, 4)),
    st.builds(Crash, st.just("end_chunk"), MOMENTS, st.integers(1, 3)),
    st.builds(Crash, st.just("complete results"), MOMENTS),
    st.builds(Crash, st.just("complete_task"), MOMENTS),
)
"""Where a worker dies."""
