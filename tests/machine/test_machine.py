"""Runs the state machine briefly. `make chaos` runs it longer."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.actions import (
    BeginUpload,
    Cancel,
    ChangePassword,
    ChangePrice,
    Charge,
    CreateExport,
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
from tests.machine.machine import Machine
from tests.machine.run import SHORT, machines, missing
from tests.support.batch.stage import AFTER, BEFORE

TWO = (Decimal(1), Decimal(2))
SUM, OTHER_SUM = ("addition", TWO), ("addition", TWO[::-1])
ROOT = ("square_root", TWO[:1])


@pytest.fixture(scope="module")
def machine() -> Iterator[type[Machine]]:
    with machines() as machine:
        yield machine


def test_the_model_predicts_the_outcome_of_random_actions(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=SHORT)


def test_each_rule_produces_its_outcomes(machine: type[Machine]) -> None:
    """Call every rule once, because a short random run reaches only some of the outcomes."""
    machine.service.outcomes.clear()
    one = machine()

    def step(rule: Callable[..., None], **drawn: Any) -> None:
        rule(**drawn)
        one.state_matches_the_model()

    one.set_up(rows=(SUM,) * 5)
    waits = {"which": 0, "hurried": False}
    step(one.interrupt_the_worker, **waits, commit=2, action=None)
    step(one.cancel_resume_or_start, action=Resume(0, None))
    step(one.deliver, which=1, hurried=False)
    step(one.deliver, **waits)
    step(one.redeliver, **waits)
    step(one.charge, action=Charge(1, *SUM, None))
    step(one.top_up, action=Grant(1, Decimal(100), None))
    step(one.cancel_resume_or_start, action=Resume(0, by=0, max_spend=(Decimal(100),)))
    step(one.crash_of_the_worker, **waits, crash=Crash("complete_task", BEFORE))
    step(one.deliver_two_concurrently, one=0, other=0, hurried=False)
    step(one.top_up, action=Grant(2, Decimal(100), None))
    for _ in range(3):
        step(one.charge, action=Charge(2, *SUM, None, by_key=True))
    step(one.reuse_key, action=Charge(2, *SUM, "one"), other=None)
    step(one.reuse_key, action=Charge(2, *SUM, "one"), other=Charge(2, *OTHER_SUM, "one"))
    step(one.reuse_key_concurrently, one=Charge(2, *SUM, "two"), other=None, held=True)
    step(
        one.execute_two_concurrently, one=Charge(1, *SUM, None), other=Charge(1, *OTHER_SUM, None), held=True
    )
    step(one.sign_in_twice_concurrently, action=SignIn("3@example.com"), held=True)
    step(one.sign_in, action=SignIn("2@example.com"))
    step(one.correct, action=WriteRecord(1, "addition", Decimal(10)))
    step(one.change_price_or_balance, action=RemovePrice("addition"))
    step(one.crash_of_a_function, action=Price("addition", Decimal(5)), moment=AFTER)
    step(one.change_price_or_balance, action=ChangePrice("addition", Decimal("1.5")))
    step(one.change_price_or_balance, action=SetBalance(2, Decimal("4.9999")))
    step(one.refund, action=RefundRecord(0, None))
    step(one.refund, action=RefundTask(0, "one"))
    step(one.refund_concurrently, one=RefundTask(0, None), other=RefundRecord(0, None), held=True)
    step(one.upload, action=BeginUpload(2, (SUM, ROOT)))
    step(one.put_file, task=0, again=False)
    step(one.deliver_during_action, **waits, action=Charge(1, *SUM, None))
    while one.driver.service.waiting:
        step(one.deliver, **waits)
    step(one.upload, action=BeginUpload(2, (SUM, ROOT, ("cube", TWO)), dry_run=True))
    step(one.put_file, task=0, again=False)
    step(one.crash_of_the_worker, **waits, crash=Crash("end_chunk", AFTER))
    step(one.deliver, **waits)
    step(one.cancel_resume_or_start, action=Start(0, None))
    step(one.crash_of_a_function, action=SendFile(2, (SUM,)), moment=BEFORE)
    step(one.crash_of_a_function, action=SendFile(2, (SUM,)), moment=AFTER)
    step(one.cancel_resume_or_start, action=Cancel(0, None))
    step(one.activate_or_deactivate, action=SetStatus(0, "inactive"))
    step(one.upload, action=SendFile(1, (SUM,) * 5))
    step(one.interrupt_the_worker, **waits, commit=2, action=SetStatus(1, "inactive"))
    step(one.activate_or_deactivate, action=SetStatus(1, "inactive"))
    step(one.activate_or_deactivate, action=SetStatus(1, "active"))
    step(one.execute_two_concurrently, one=Charge(1, *SUM, None), other=SetStatus(1, "inactive"), held=True)
    step(one.crash_of_a_function, action=SignIn("4@example.com"), moment=AFTER)
    step(one.top_up, action=Grant(2, Decimal(100), None))
    calls = [Charge(2, *arguments, None, by_key=True) for arguments in (SUM, OTHER_SUM)]
    step(one.execute_two_concurrently, one=calls[0], other=calls[1], held=True)
    step(one.upload, action=SendFile(2, (SUM,) * 5, by_key=True))
    step(one.upload, action=SendFile(2, (SUM,) * 5))
    last = len(machine.service.waiting) - 1
    # After the task's start and one chunk, a hurried worker commits only that it has sent a message.
    step(one.interrupt_the_worker, which=last, hurried=True, commit=3, action=Grant(2, Decimal(100), None))
    step(one.let_an_hour_pass)
    step(one.charge, action=Charge(2, *SUM, None))
    changes = [ChangePassword(1, session) for session in (0, 1)]
    step(one.change_sessions_concurrently, one=changes[0], other=changes[1], held=True)
    step(one.sign_in, action=SignIn("1@example.com", wrong=True))
    step(one.change_password_or_end_session, action=ChangePassword(1, session=2, wrong=True))
    for ended in (0, 1):
        step(one.change_password_or_end_session, action=EndSession(1, session=2, ended=ended))
    step(one.export, action=CreateExport(2, "records", "csv", "one"), again=True)
    strings = ("random_string", (*TWO, Decimal(3)))  # the service ignores the arguments
    step(one.price_file, action=BeginUpload(2, (SUM, strings), dry_run=True), starts=True)
    step(one.crash_of_a_function, action=CreateExport(0, "ledger", "jsonl", None), moment=AFTER)
    last = len(machine.service.waiting) - 1
    step(one.crash_of_the_worker, which=last, hurried=False, crash=Crash("complete_export", BEFORE))
    step(one.activate_or_deactivate, action=SetStatus(2, "inactive"))
    one.teardown()
    assert missing(machine.service.outcomes) == []
