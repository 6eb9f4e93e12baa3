"""The Hypothesis state machine. It executes actions in any order; the model predicts every outcome."""

import functools
import json
import sys
import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition

from tests.machine import database_state, strategies
from tests.machine.actions import (
    Action,
    ChangePassword,
    Charge,
    EndSession,
    Price,
    SendFile,
    SetStatus,
    SignIn,
    Start,
)
from tests.machine.driver import Driver
from tests.machine.linearizability import Crash
from tests.machine.model import ARGUMENTS, PASSWORD, UNFINISHED, Rows
from tests.machine.service import HOLD_ROWS, HOLD_TABLE, Service
from tests.support.lambda_event import event

LIST_CHECK_INTERVAL = 10
"""Number of steps between two checks of all lists of all users."""
KEY_LIMIT = Decimal("7.5")
"""Credits that each API key may spend: one call or row at the first price."""
MAX_DELIVERIES = 100
"""Limit for the deliveries at the end of a run. With more, some message would be delivered forever."""
Step = Callable[..., None]
RULES = list[str]()
"""The names of all rules."""

if_a_message_waits = precondition(lambda self: self.driver.service.waiting)


def rule(**drawn: Any) -> Callable[[Step], Step]:
    """Declare a Hypothesis rule and count its executions."""

    def decorate(step: Step) -> Step:
        RULES.append(step.__name__)

        @functools.wraps(step)
        def counted(self: "Machine", **found: Any) -> None:
            self.service.outcomes[f"rule {step.__name__}"] += 1
            step(self, **found)

        decorated: Step = stateful.rule(**drawn)(counted)
        return decorated

    return decorate


class Machine(RuleBasedStateMachine):
    """One run. Subclasses set `service`."""

    service: ClassVar[Service]
    runs, turns = 0, 0
    """Total number of runs and of their steps."""
    failure_printed = False
    """Whether a failure was printed."""
    turn = 0
    """Number of steps of this run."""

    @initialize(rows=strategies.ROWS)
    def set_up(self, rows: Rows) -> None:
        Machine.runs += 1
        self.driver = Driver(self.service)
        admin = {"email": "admin@example.com", "password": PASSWORD, "admin_password": "adminpass"}
        self.driver.send(event("POST", "/admin", json.dumps(admin)), 201)
        self.driver.model.add_admin(admin["email"])
        for email in (admin["email"], "0@example.com", "1@example.com"):
            self.driver.execute(SignIn(email))
        for operation in ARGUMENTS:
            self.driver.execute(Price(operation, Decimal(5)))
        for who in (1, 2):
            self.driver.execute(SendFile(who, rows))
            self.driver.create_api_key(self.driver.registry.user(who), KEY_LIMIT)

    @rule(action=strategies.SIGN_INS)
    def sign_in(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(action=strategies.SESSION_CHANGES)
    def change_password_or_end_session(self, action: ChangePassword | EndSession) -> None:
        """Do it with at least two sessions, because the user of a single one would be signed out."""
        self._sign_in_again(action)
        self.driver.execute(action)

    @rule(
        one=strategies.SESSION_CHANGES,
        other=strategies.SESSION_CHANGES | strategies.SIGN_INS | strategies.CALLS,
        held=st.booleans(),
    )
    def change_sessions_concurrently(
        self, one: ChangePassword | EndSession, other: Action, held: bool
    ) -> None:
        self._sign_in_again(one)
        self.driver.execute_both(one, other, HOLD_ROWS if held else "")

    @rule(action=strategies.CALLS)
    def charge(self, action: Charge) -> None:
        self.driver.execute(action)

    @rule(action=strategies.CALLS, other=st.none() | strategies.CALLS)
    def reuse_key(self, action: Charge, other: Charge | None) -> None:
        """Repeat a request with its idempotency key, or send another request with that key."""
        self.driver.execute(action.with_key())
        self.driver.execute((other or action).with_key(action))

    @rule(action=strategies.GRANTS)
    def top_up(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(action=strategies.PRICES | strategies.BALANCES_SET)
    def change_price_or_balance(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(action=strategies.STATUSES_SET)
    def activate_or_deactivate(self, action: SetStatus) -> None:
        """Change a user's status, and sign the user in. An inactive account rejects the sign-in."""
        who = self.driver.registry.user(action.who)
        self.driver.execute(action)
        self.driver.execute(SignIn(self.driver.model.users[who].email))

    @rule(action=strategies.CORRECTIONS)
    def correct(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(action=strategies.REFUNDS)
    def refund(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(one=strategies.REFUNDS, other=strategies.REFUNDS | strategies.CORRECTIONS, held=st.booleans())
    def refund_concurrently(self, one: Action, other: Action, held: bool) -> None:
        self.driver.execute_both(one, other, HOLD_ROWS if held else "")

    @precondition(lambda self: self.driver.model.tasks)
    @rule(action=strategies.STOPS)
    def cancel_resume_or_start(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(action=strategies.ANY_ACTION, moment=strategies.MOMENTS)
    def crash_of_a_function(self, action: Action, moment: str) -> None:
        """Kill the function before or after its commit. The client gets no response."""
        self.driver.execute(action, moment)

    @rule(one=strategies.ANY_ACTION, other=strategies.ANY_ACTION, held=st.booleans())
    def execute_two_concurrently(self, one: Action, other: Action, held: bool) -> None:
        self.driver.execute_both(one, other, HOLD_ROWS if held else "")

    @rule(action=strategies.SIGN_INS, held=st.booleans())
    def sign_in_twice_concurrently(self, action: Action, held: bool) -> None:
        self.driver.execute_both(action, action, HOLD_TABLE if held else "")

    @rule(one=strategies.CALLS, other=st.none() | strategies.CALLS, held=st.booleans())
    def reuse_key_concurrently(self, one: Charge, other: Charge | None, held: bool) -> None:
        self.driver.execute_both(one.with_key(), (other or one).with_key(one), HOLD_ROWS if held else "")

    @rule(action=strategies.UPLOADS)
    def upload(self, action: Action) -> None:
        self.driver.execute(action)

    @rule(action=strategies.EXPORTS, again=st.booleans())
    def export(self, action: Action, again: bool) -> None:
        """Create an export. Sent again with a key, the request creates no other one."""
        self.driver.execute(action)
        if again:
            self.driver.execute(action)

    @rule(action=strategies.DRY_RUNS, starts=st.booleans())
    def price_file(self, action: Action, starts: bool) -> None:
        """Begin a dry run, upload its file and process it. Then start a quoted task."""
        known = set(self.driver.model.tasks)
        self.driver.execute(action)
        for name in self.driver.model.tasks.keys() - known:
            self.driver.put_file(name)
            self.driver.deliver(self.service.waiting[-1], hurried=False)
        if starts:
            self.driver.execute(Start(0, by=None))

    @rule()
    def let_an_hour_pass(self) -> None:
        """Make all charges and refunds an hour older, so that the usage has several periods."""
        for statement in database_state.AN_HOUR_PASSES:
            self.service.sql(statement)

    @precondition(lambda self: self.driver.model.tasks)
    @rule(task=strategies.INDEX, again=st.booleans())
    def put_file(self, task: int, again: bool) -> None:
        """Upload the file of a task to the bucket: of any task, or preferably of one that awaits its file."""
        name = self.driver.registry.task(task, () if again else ("awaiting_upload",))
        assert name
        self.driver.put_file(name)

    @if_a_message_waits
    @rule(which=strategies.INDEX, hurried=st.booleans())
    def deliver(self, which: int, hurried: bool) -> None:
        self.driver.deliver(_one_of(self.service.waiting, which), hurried)

    @precondition(lambda self: self.driver.service.delivered)
    @rule(which=strategies.INDEX, hurried=st.booleans())
    def redeliver(self, which: int, hurried: bool) -> None:
        """Deliver a processed message again."""
        self.driver.deliver(_one_of(self.service.delivered, which), hurried)

    @if_a_message_waits
    @rule(which=strategies.INDEX, hurried=st.booleans(), crash=strategies.CRASHES)
    def crash_of_the_worker(self, which: int, hurried: bool, crash: Crash) -> None:
        self.driver.deliver(_one_of(self.service.waiting, which), hurried, crash)

    @if_a_message_waits
    @rule(which=strategies.INDEX, hurried=st.booleans(), action=strategies.ANY_ACTION)
    def deliver_during_action(self, which: int, hurried: bool, action: Action) -> None:
        self.driver.deliver_during(_one_of(self.service.waiting, which), hurried, action)

    @if_a_message_waits
    @rule(
        which=strategies.INDEX,
        hurried=st.booleans(),
        commit=st.integers(1, 3),
        action=st.none() | strategies.INTERRUPTIONS,
    )
    def interrupt_the_worker(self, which: int, hurried: bool, commit: int, action: Action | None) -> None:
        """Execute an action between two transactions of the worker. Without an action, cancel its task."""
        self.driver.interrupt(_one_of(self.service.waiting, which), hurried, commit, action)

    @if_a_message_waits
    @rule(one=strategies.INDEX, other=strategies.INDEX, hurried=st.booleans())
    def deliver_two_concurrently(self, one: int, other: int, hurried: bool) -> None:
        """Deliver two messages of one or two tasks concurrently, or one message twice."""
        waiting = self.service.waiting
        self.driver.deliver_two(_one_of(waiting, one), _one_of(waiting, other), hurried)

    @invariant()
    def state_matches_the_model(self) -> None:
        self.turn += 1
        Machine.turns += 1
        # The model does not predict rate limits.
        self.service.sql("DELETE FROM rate_limits")
        self.driver.compare()
        self.driver.check_reads(self.turn)
        if self.turn % LIST_CHECK_INTERVAL == 0:
            self.driver.check_lists()

    def teardown(self) -> None:
        if failure := sys.exc_info()[1]:
            self._print(failure)
            return
        try:
            self._end()
        except Exception as failure:
            self._print(failure)
            raise

    def _end(self) -> None:
        """Process all waiting messages. Check that no task remains unfinished."""
        self._deliver_all()
        self.driver.restart_results()
        self.driver.restart_exports()
        self._deliver_all()
        self.driver.compare()
        self.driver.check_lists()
        self.driver.end()
        found = self.driver.model.tasks.values()
        assert not {task.status for task in found if task.stored} & {"queued", "processing"}
        assert all(task.results is not None for task in found if task.status not in UNFINISHED)
        exports = self.driver.model.exports.values()
        assert {export.status for export in exports} <= {"completed", "failed"}

    def _sign_in_again(self, action: ChangePassword | EndSession) -> None:
        if who := self.driver.registry.client(action.client):
            self.driver.execute(SignIn(self.driver.model.users[who].email))

    def _deliver_all(self) -> None:
        for _ in range(MAX_DELIVERIES):
            if not self.service.waiting:
                break
            self.driver.deliver(self.service.waiting[0], hurried=False)

    def _print(self, failure: BaseException) -> None:
        """Print the first failure immediately. A race may not recur when Hypothesis replays the run."""
        if isinstance(failure, Exception) and not Machine.failure_printed:
            Machine.failure_printed = True
            print(f"CAUGHT in run {Machine.runs} at step {Machine.turns}", flush=True)
            traceback.print_exception(failure)


def _one_of(messages: list[Any], which: int) -> Any:
    return messages[which % len(messages)]
