"""Hypothesis's machine: it does anything to the service in any order, and the model foretells it all."""

import functools
import json
import sys
import traceback
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition

from shared import aws
from tests.machine import drawn
from tests.machine.actions import PASSWORD, Action, Charge, Price, SendFile, SignIn, as_csv
from tests.machine.driver import Driver
from tests.machine.explained import Crash
from tests.machine.model import ARGUMENTS, Rows
from tests.machine.service import HOLD_ROWS, HOLD_TABLE, Service
from tests.support.lambda_event import event

LISTS_EACH = 10
"""Steps after which everybody looks at all their lists."""
MOST_DELIVERIES = 100
"""After which what is left of a run's messages would never come to an end."""
Step = Callable[..., None]
RULES = list[str]()
"""The names of all rules."""

somebody_waits = precondition(lambda self: self.driver.service.waiting)


def rule(**drawn: Any) -> Callable[[Step], Step]:
    """A rule of Hypothesis's, whose runs are counted."""

    def decorate(step: Step) -> Step:
        RULES.append(step.__name__)

        @functools.wraps(step)
        def counted(self: "Machine", **found: Any) -> None:
            self.service.outcomes[f"rule {step.__name__}"] += 1
            step(self, **found)

        made: Step = stateful.rule(**drawn)(counted)
        return made

    return decorate


class Machine(RuleBasedStateMachine):
    """One run. `service` is given to the class before it is used."""

    service: ClassVar[Service]
    runs, turns = 0, 0
    """All runs, and their steps."""
    told = False
    """Whether a failure was."""
    turn = 0
    """Steps of this run."""

    @initialize(rows=drawn.ROWS)
    def set_up(self, rows: Rows) -> None:
        Machine.runs += 1
        self.driver = Driver(self.service)
        admin = {"email": "admin@example.com", "password": PASSWORD, "admin_password": "adminpass"}
        self.driver.told(event("POST", "/admin", json.dumps(admin)), 201)
        self.driver.model.enrol(admin["email"], "admin")
        for email in (admin["email"], "0@example.com", "1@example.com"):
            self.driver.ask(SignIn(email))
        for operation in ARGUMENTS:
            self.driver.ask(Price(operation, Decimal(5)))
        for who in (1, 2):
            self.driver.ask(SendFile(who, rows))

    @rule(action=drawn.SIGN_INS)
    def sign_in(self, action: Action) -> None:
        self.driver.ask(action)

    @rule(action=drawn.CALLS)
    def charge(self, action: Charge) -> None:
        self.driver.ask(action)

    @rule(action=drawn.CALLS, other=st.none() | drawn.CALLS)
    def ask_again(self, action: Charge, other: Charge | None) -> None:
        """A key's request once more, or another request with that key."""
        self.driver.ask(action.with_key())
        self.driver.ask((other or action).with_key(action))

    @rule(action=drawn.GRANTS)
    def top_up(self, action: Action) -> None:
        self.driver.ask(action)

    @rule(action=drawn.PRICES | drawn.BALANCES_SET)
    def change_price_or_balance(self, action: Action) -> None:
        self.driver.ask(action)

    @rule(action=drawn.CORRECTIONS)
    def correct(self, action: Action) -> None:
        self.driver.ask(action)

    @precondition(lambda self: self.driver.model.tasks)
    @rule(action=drawn.STOPS)
    def cancel_or_resume(self, action: Action) -> None:
        self.driver.ask(action)

    @rule(action=drawn.ANYTHING, moment=drawn.MOMENTS)
    def crash_of_a_function(self, action: Action, moment: str) -> None:
        """Before or after what it does is committed: who asked hears nothing."""
        self.driver.ask(action, moment)

    @rule(one=drawn.ANYTHING, other=drawn.ANYTHING, held=st.booleans())
    def two_at_once(self, one: Action, other: Action, held: bool) -> None:
        self.driver.ask_two(one, other, HOLD_ROWS if held else "")

    @rule(action=drawn.SIGN_INS, held=st.booleans())
    def two_of_one_email_at_once(self, action: Action, held: bool) -> None:
        self.driver.ask_two(action, action, HOLD_TABLE if held else "")

    @rule(one=drawn.CALLS, other=st.none() | drawn.CALLS, held=st.booleans())
    def two_of_one_key_at_once(self, one: Charge, other: Charge | None, held: bool) -> None:
        self.driver.ask_two(one.with_key(), (other or one).with_key(one), HOLD_ROWS if held else "")

    @rule(action=drawn.UPLOADS)
    def upload(self, action: Action) -> None:
        self.driver.ask(action)

    @precondition(lambda self: self.driver.model.tasks)
    @rule(task=drawn.WHICH)
    def put_file(self, task: int) -> None:
        """A task's own into the bucket, for the first time or once more."""
        cast = self.driver.cast
        name = cast.task(task)
        assert name
        found = cast.model.tasks[name]
        key = aws.upload_key(UUID(cast.ids[found.owner]), UUID(cast.ids[name]))
        self.service.store(key, as_csv(found.rows))
        found.stored = True

    @somebody_waits
    @rule(which=drawn.WHICH, hurried=st.booleans())
    def deliver(self, which: int, hurried: bool) -> None:
        self.driver.deliver(_one_of(self.service.waiting, which), hurried)

    @precondition(lambda self: self.driver.service.delivered)
    @rule(which=drawn.WHICH, hurried=st.booleans())
    def redeliver(self, which: int, hurried: bool) -> None:
        """A message that was worked off."""
        self.driver.deliver(_one_of(self.service.delivered, which), hurried)

    @somebody_waits
    @rule(which=drawn.WHICH, hurried=st.booleans(), crash=drawn.CRASHES)
    def crash_of_the_worker(self, which: int, hurried: bool, crash: Crash) -> None:
        self.driver.deliver(_one_of(self.service.waiting, which), hurried, crash)

    @somebody_waits
    @rule(which=drawn.WHICH, hurried=st.booleans(), action=drawn.ANYTHING)
    def deliver_and_ask_at_once(self, which: int, hurried: bool, action: Action) -> None:
        self.driver.deliver_during(_one_of(self.service.waiting, which), hurried, action)

    @somebody_waits
    @rule(
        which=drawn.WHICH,
        hurried=st.booleans(),
        commit=st.integers(1, 3),
        action=st.none() | drawn.INTERRUPTIONS,
    )
    def interrupt_the_worker(self, which: int, hurried: bool, commit: int, action: Action | None) -> None:
        """Ask for something between two of its transactions; of nothing else, that it stops."""
        self.driver.interrupt(_one_of(self.service.waiting, which), hurried, commit, action)

    @somebody_waits
    @rule(one=drawn.WHICH, other=drawn.WHICH, hurried=st.booleans())
    def deliver_two_at_once(self, one: int, other: int, hurried: bool) -> None:
        """Of one task or two; of the same message as well."""
        waiting = self.service.waiting
        self.driver.deliver_two(_one_of(waiting, one), _one_of(waiting, other), hurried)

    @invariant()
    def all_is_as_foretold(self) -> None:
        self.turn += 1
        Machine.turns += 1
        # How often one may try again is not of this machine.
        self.service.sql("DELETE FROM rate_limits")
        self.driver.compare()
        self.driver.look(self.turn)
        if self.turn % LISTS_EACH == 0:
            self.driver.look_at_lists()

    def teardown(self) -> None:
        if failure := sys.exc_info()[1]:
            self._tell(failure)
            return
        try:
            self._end()
        except Exception as failure:
            self._tell(failure)
            raise

    def _end(self) -> None:
        """What waits is worked off: no task is left behind."""
        for _ in range(MOST_DELIVERIES):
            if not self.service.waiting:
                break
            self.driver.deliver(self.service.waiting[0], hurried=False)
        self.driver.compare()
        self.driver.look_at_lists()
        self.driver.end()
        left = {task.status for task in self.driver.model.tasks.values() if task.stored}
        assert not left & {"queued", "processing"}

    def _tell(self, failure: BaseException) -> None:
        """Print the first failure as it was seen: what two did at once may never come so again."""
        if isinstance(failure, Exception) and not Machine.told:
            Machine.told = True
            print(f"CAUGHT in run {Machine.runs} at step {Machine.turns}", flush=True)
            traceback.print_exception(failure)


def _one_of(messages: list[Any], which: int) -> Any:
    return messages[which % len(messages)]
