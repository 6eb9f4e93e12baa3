"""What Hypothesis draws: small numbers of everything, so that what is done meets what was done."""

from decimal import Decimal

from hypothesis import strategies as st

from tests.machine.actions import (
    BeginUpload,
    Cancel,
    ChangePrice,
    Charge,
    CorrectRecord,
    DeleteRecord,
    DeleteUser,
    Grant,
    Price,
    Resume,
    SendFile,
    SetBalance,
    SignIn,
    Unprice,
    WriteRecord,
)
from tests.machine.explained import Crash
from tests.machine.model import ARGUMENTS, Arguments
from tests.support.batch.stage import AFTER, BEFORE

WHICH = st.integers(0, 7)
"""One of those that there are; past the last one comes the first again."""
EMAILS = st.sampled_from([f"{number}@example.com" for number in range(4)])
OPERATIONS = st.sampled_from(list(ARGUMENTS))
CALLED_SO = st.sampled_from([*ARGUMENTS, "addition", "subtraction", "cube"])
NUMBERS = st.sampled_from([Decimal(text) for text in ("0", "1", "2", "3", "-4", "0.1", "0.25", "1e6")])


def arguments(fewest: int, most: int) -> st.SearchStrategy[Arguments]:
    return st.lists(NUMBERS, min_size=fewest, max_size=min(most, 3)).map(tuple)


KEYS = st.sampled_from([None, "one", "two", "three"])
COSTS = st.sampled_from([Decimal(text) for text in ("5", "5", "1.5", "0.0001", "0", "19.9999", "1000")])
BALANCES = st.sampled_from([Decimal(text) for text in ("0", "0.0001", "4.9999", "12.5", "30", "1000")])
AMOUNTS = st.sampled_from([Decimal(text) for text in ("10", "0.0001", "100", "-0.5", "-5", "-100")])
SOUND = OPERATIONS.flatmap(
    lambda operation: st.tuples(
        st.just(operation), arguments(ARGUMENTS[operation][0], ARGUMENTS[operation][1])
    )
)
CALLED = SOUND | SOUND | SOUND | st.tuples(CALLED_SO, arguments(0, 3))
"""An operation and arguments, which most often are as many as it takes."""
ROWS = st.lists(CALLED, max_size=11).map(tuple)

CALLS = st.builds(lambda who, called, key: Charge(who, *called, key), WHICH, CALLED, KEYS)
SENT_FILES = st.builds(SendFile, who=WHICH, rows=ROWS)
UPLOADS = SENT_FILES | st.builds(BeginUpload, who=WHICH, rows=ROWS)
GRANTS = st.builds(Grant, who=WHICH, amount=AMOUNTS, key=KEYS)
BALANCES_SET = st.builds(SetBalance, who=WHICH, balance=BALANCES)
PRICES = (
    st.builds(ChangePrice, operation=OPERATIONS, cost=COSTS)
    | st.builds(Price, operation=OPERATIONS, cost=COSTS)
    | st.builds(Unprice, operation=OPERATIONS)
)
DELETIONS = st.builds(DeleteUser, client=WHICH)
CORRECTIONS = (
    DELETIONS
    | st.builds(WriteRecord, who=WHICH, operation=OPERATIONS, amount=AMOUNTS)
    | st.builds(CorrectRecord, record=WHICH, to=WHICH, amount=AMOUNTS)
    | st.builds(DeleteRecord, record=WHICH)
)
BY = st.none() | st.none() | WHICH
STOPS = st.builds(Cancel, task=WHICH, by=BY) | st.builds(Resume, task=WHICH, by=BY)
SIGN_INS = st.builds(SignIn, email=EMAILS)
# By the admin, who may always.
CANCELS = st.builds(Cancel, task=WHICH, by=st.just(0))
INTERRUPTIONS = CANCELS | CANCELS | STOPS | DELETIONS | BALANCES_SET | PRICES | CALLS
ANYTHING = st.one_of(CALLS, CALLS, GRANTS, BALANCES_SET, PRICES, STOPS, CORRECTIONS, SIGN_INS, UPLOADS)

MOMENTS = st.sampled_from([BEFORE, AFTER])
CRASHES = st.one_of(
    st.builds(Crash, st.just("start_task"), MOMENTS),
    st.builds(Crash, st.just("commit"), MOMENTS, st.integers(1, 4)),
    st.builds(Crash, st.just("end_chunk"), MOMENTS, st.integers(1, 3)),
    st.builds(Crash, st.just("complete results"), MOMENTS),
    st.builds(Crash, st.just("complete_task"), MOMENTS),
)
"""Where a worker dies."""
