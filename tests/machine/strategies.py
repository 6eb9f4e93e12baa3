"""Hypothesis strategies. Each draws from a small set, so that actions often affect the same objects."""

from decimal import Decimal

from hypothesis import strategies as st

from tests.machine.actions import (
    BeginUpload,
    Cancel,
    ChangePassword,
    ChangePrice,
    Charge,
    CorrectRecord,
    CreateExport,
    DeleteRecord,
    DeleteUser,
    EndSession,
    Grant,
    Price,
    RefundRecord,
    RefundTask,
    RemovePrice,
    Resume,
    SendFile,
    SetBalance,
    SetStatus,
    SignIn,
    Start,
    WriteRecord,
)
from tests.machine.linearizability import Crash
from tests.machine.model import ARGUMENTS, Arguments
from tests.support.batch.stage import AFTER, BEFORE

INDEX = st.integers(0, 7)
"""An index into the existing objects, modulo their number."""
EMAILS = st.sampled_from([f"{number}@example.com" for number in range(4)])
OPERATIONS = st.sampled_from(list(ARGUMENTS))
OPERATION_NAMES = st.sampled_from([*ARGUMENTS, "addition", "subtraction", "cube"])
NUMBERS = st.sampled_from([Decimal(text) for text in ("0", "1", "2", "3", "-4", "0.1", "0.25", "1e6")])


def arguments(minimum: int, maximum: int) -> st.SearchStrategy[Arguments]:
    return st.lists(NUMBERS, min_size=minimum, max_size=min(maximum, 3)).map(tuple)


KEYS = st.sampled_from([None, "one", "two", "three"])
COSTS = st.sampled_from([Decimal(text) for text in ("5", "5", "1.5", "0.0001", "0", "19.9999", "1000")])
BALANCES = st.sampled_from([Decimal(text) for text in ("0", "0.0001", "4.9999", "12.5", "30", "1000")])
AMOUNTS = st.sampled_from([Decimal(text) for text in ("10", "0.0001", "100", "-0.5", "-5", "-100")])
VALID_CALL_ARGUMENTS = OPERATIONS.flatmap(
    lambda operation: st.tuples(
        st.just(operation), arguments(ARGUMENTS[operation][0], ARGUMENTS[operation][1])
    )
)
CALL_ARGUMENTS = (
    VALID_CALL_ARGUMENTS
    | VALID_CALL_ARGUMENTS
    | VALID_CALL_ARGUMENTS
    | st.tuples(OPERATION_NAMES, arguments(0, 3))
)
"""An operation and its arguments. Most of the time the number of arguments is valid."""
ROWS = st.lists(CALL_ARGUMENTS, max_size=11).map(tuple)

LIMITS = st.sampled_from([None, None, Decimal("0.0001"), Decimal(5), Decimal(12), Decimal(100)])
CHANGED_LIMITS = st.just(()) | st.tuples(LIMITS)
CALLS = st.builds(
    lambda who, called, key, by_key: Charge(who, *called, key, by_key),
    INDEX,
    CALL_ARGUMENTS,
    KEYS,
    st.booleans(),
)
SENT_FILES = st.builds(SendFile, who=INDEX, rows=ROWS, by_key=st.booleans())
DRY_RUNS = st.builds(BeginUpload, who=INDEX, rows=ROWS, dry_run=st.just(True), max_spend=LIMITS)
UPLOADS = SENT_FILES | st.builds(BeginUpload, who=INDEX, rows=ROWS, dry_run=st.booleans(), max_spend=LIMITS)
GRANTS = st.builds(Grant, who=INDEX, amount=AMOUNTS, key=KEYS)
BALANCES_SET = st.builds(SetBalance, who=INDEX, balance=BALANCES)
STATUSES_SET = st.builds(SetStatus, who=INDEX, status=st.sampled_from(["active", "active", "inactive"]))
PRICES = (
    st.builds(ChangePrice, operation=OPERATIONS, cost=COSTS)
    | st.builds(Price, operation=OPERATIONS, cost=COSTS)
    | st.builds(RemovePrice, operation=OPERATIONS)
)
DELETIONS = st.builds(DeleteUser, client=INDEX)
CORRECTIONS = (
    DELETIONS
    | st.builds(WriteRecord, who=INDEX, operation=OPERATIONS, amount=AMOUNTS)
    | st.builds(CorrectRecord, record=INDEX, to=INDEX, amount=AMOUNTS)
    | st.builds(DeleteRecord, record=INDEX)
)
REFUNDS = st.builds(RefundRecord, record=st.integers(0, 30), key=KEYS) | st.builds(
    RefundTask, task=INDEX, key=KEYS
)
BY = st.none() | st.none() | INDEX
STOPS = (
    st.builds(Cancel, task=INDEX, by=BY)
    | st.builds(Resume, task=INDEX, by=BY, by_key=st.booleans(), max_spend=CHANGED_LIMITS)
    | st.builds(Start, task=INDEX, by=BY)
)
WRONG = st.sampled_from([False, False, False, True])
SIGN_INS = st.builds(SignIn, email=EMAILS, wrong=WRONG)
SESSION_CHANGES = st.builds(ChangePassword, client=INDEX, session=INDEX, wrong=WRONG) | st.builds(
    EndSession, client=INDEX, session=INDEX, ended=INDEX
)
EXPORTS = st.builds(
    CreateExport,
    who=INDEX,
    resource=st.sampled_from(["records", "ledger"]),
    format=st.sampled_from(["csv", "jsonl"]),
    key=KEYS,
    by_key=st.booleans(),
)
# The admin (user 0) may cancel every task.
CANCELS = st.builds(Cancel, task=INDEX, by=st.just(0))
INTERRUPTIONS = CANCELS | CANCELS | STOPS | DELETIONS | STATUSES_SET | BALANCES_SET | PRICES | CALLS | REFUNDS
ANY_ACTION = st.one_of(
    *(CALLS, CALLS, GRANTS, BALANCES_SET, STATUSES_SET, PRICES, STOPS, CORRECTIONS, REFUNDS, REFUNDS),
    *(SIGN_INS, SESSION_CHANGES, UPLOADS, EXPORTS),
)

MOMENTS = st.sampled_from([BEFORE, AFTER])
CRASHES = st.one_of(
    st.builds(Crash, st.just("start_task"), MOMENTS),
    st.builds(Crash, st.just("commit"), MOMENTS, st.integers(1, 4)),
    st.builds(Crash, st.just("end_chunk"), MOMENTS, st.integers(1, 3)),
    st.builds(Crash, st.just("complete results"), MOMENTS),
    st.builds(Crash, st.just("complete_task"), MOMENTS),
    st.builds(Crash, st.just("claim_results"), MOMENTS),
    st.builds(Crash, st.just("end_results"), MOMENTS),
    st.builds(Crash, st.just("claim_export"), MOMENTS),
    st.builds(Crash, st.just("continue_export"), MOMENTS),
    st.builds(Crash, st.just("complete_export"), MOMENTS),
)
"""Points at which a worker can be killed."""
