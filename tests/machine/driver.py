"""Asks the service and the model the same, and compares what they answer and what they keep."""

from collections.abc import Mapping
from typing import Any

from tests.batch.stage import AFTER, BEFORE, Fault
from tests.machine import batch_model, books
from tests.machine.actions import Action, Request, sent
from tests.machine.cast import ADMIN, Cast
from tests.machine.explained import Crash, Steps, Thing, explanation, finish, mismatch
from tests.machine.model import Model
from tests.machine.service import Answer, Service, dies, task_of

SENDS = "commit"
"""The step of a request that sends a message."""


class Driver:
    """One run of the service beside one of the model."""

    def __init__(self, service: Service) -> None:
        books.clear(service.sql)
        service.forget_messages()
        self.service, self.cast = service, Cast()
        self._bodies = dict[tuple[str, str], str]()
        """The answer to each key that got one, as it was sent."""

    @property
    def model(self) -> Model:
        return self.cast.model

    def told(self, event: Mapping[str, Any], status: int) -> Answer:
        """An answer whose status is known. Raises: AssertionError when it has another."""
        answer = self.service.ask(event)
        assert answer
        assert answer.status == status, answer
        return answer

    def ask(self, action: Action, moment: str | None = None) -> None:
        """Ask for something, maybe of a container that dies before or after that is committed."""
        request = action.request(self.cast)
        if request is None:
            return
        fault = Fault(request.statement, moment, dies) if moment else None
        answer = self.service.ask(request.event, fault)
        if request.statement == SENDS:
            self.service.receive()
        if fault and fault.struck and moment == BEFORE:
            assert answer is None
            return
        expected = finish(request.steps(self.model))
        if fault and fault.struck:
            assert answer is None
            return
        assert answer
        self._hear(request, answer)
        assert (found := mismatch(expected, answer)) == "", found

    def ask_two(self, one: Action, other: Action, held: bool) -> None:
        """Ask for both at the same time; some order of them must explain what came of it.

        Args:
            held: as `Service.at_once`.
        """
        requests = [request for action in (one, other) if (request := action.request(self.cast))]
        answers = self.service.at_once(
            *[lambda it=it: self.service.ask(it.event) for it in requests], held=held
        )
        self.service.receive()
        pairs = list(zip(requests, answers, strict=True))
        for request, answer in pairs:
            self._hear(request, answer)
        rivals = len(requests) == 2 and requests[0].key == requests[1].key is not None
        # Who is told that the other is still running has done nothing.
        done = [(it, answer) for it, answer in pairs if not (rivals and answer.status == 409)]
        self._explain([Thing(it.steps, answer) for it, answer in done])

    def deliver(self, message: Any, hurried: bool, crash: Crash | None = None) -> None:
        """Give a message to a worker, that is hurried or dies."""
        fault = crash.fault() if crash else None
        outcome = self.service.deliver(message, hurried, fault)
        steps = self._steps(message, hurried)(self.model)
        died = crash.play(steps) if crash else finish(steps)
        assert outcome == ("died" if died else "done")
        self.service.settle(*[] if died else [message])

    def deliver_during(self, message: Any, hurried: bool, action: Action) -> None:
        """Give a message to a worker, and ask for something at the same time."""
        request = action.request(self.cast)
        if request is None:
            return
        outcome, answer = self.service.at_once(
            lambda: self.service.deliver(message, hurried), lambda: self.service.ask(request.event)
        )
        assert outcome == "done"
        self.service.settle(message)
        self._hear(request, answer)
        self._explain([Thing(self._steps(message, hurried), None), Thing(request.steps, answer)])

    def interrupt(self, message: Any, hurried: bool, commit: int, action: Action) -> None:
        """Give a message to a worker, and ask for something when it has committed so often."""
        request = action.request(self.cast)
        if request is None:
            return
        answers = list[Answer | None]()

        def ask() -> bool:
            answers.append(self.service.ask(request.event))
            return True

        outcome = self.service.deliver(message, hurried, Fault("commit", AFTER, ask, commit))
        assert outcome == "done"
        self.service.settle(message)
        steps = self._steps(message, hurried)(self.model)
        comes_so_far = Crash("commit", AFTER, commit).play(steps)
        assert comes_so_far == bool(answers)
        if answers:
            expected = finish(request.steps(self.model))
            self._hear(request, answers[0])
            assert (found := mismatch(expected, answers[0])) == "", found
        finish(steps)

    def deliver_two(self, one: Any, other: Any, hurried: bool) -> None:
        """Give two messages to two workers, maybe of one task, maybe the same one."""
        outcomes = self.service.at_once(
            *[lambda it=it: self.service.deliver(it, hurried) for it in (one, other)]
        )
        assert outcomes == ["done", "done"]
        self.service.settle(one, other)
        self._explain([Thing(self._steps(it, hurried), None) for it in (one, other)])

    def compare(self) -> None:
        """Everything that is kept. Raises: AssertionError when it is not as foretold, or never may be."""
        books.check(self.service.sql)
        truth, foretold = self._truth(), self.model.books()
        for what, kept in truth.items():
            assert kept == foretold[what]

    def look(self, turn: int) -> None:
        """Let somebody look at themselves, at one of their lists, and at something of another's; at each
        turn another person or list.
        """
        who = self.cast.person(turn)
        user = self.model.users[who]
        if user.deleted:
            self.told(sent(self.cast, who, "GET", "/users/me"), 401)
            return
        assert self.told(sent(self.cast, who, "GET", "/users/me"), 200).body["balance"] == user.balance
        visible = self._visible(who)
        resource = list(visible)[turn // len(self.model.users) % len(visible)]
        page = self.told(sent(self.cast, who, "GET", f"/{resource}?page_size=100"), 200).body
        assert page["total"] == visible[resource], resource
        assert who == ADMIN or {it["user_id"] for it in page[resource]} <= {self.cast.ids[who]}
        status = 200 if who == ADMIN else 404
        for path in self._of_others(who):
            self.told(sent(self.cast, who, "GET", path), status)

    def _hear(self, request: Request, answer: Answer) -> None:
        """Remember what an answer names, and that a key's answer is ever the same, to the last byte."""
        if not 200 <= answer.status < 300:
            return
        if request.name and (made := answer.body.get("record_id") or answer.body.get("id")):
            self.cast.ids[request.name] = made
        if request.key:
            assert self._bodies.setdefault(request.key, answer.text) == answer.text

    def _explain(self, things: list[Thing]) -> None:
        explained = explanation(self.model, things, truth := self._truth())
        answers = [thing.answer for thing in things]
        assert explained, f"in no order: {answers}, {truth}, from {self.model.books()}"
        self.cast.model = explained

    def _truth(self) -> dict[str, Any]:
        names = {self.cast.ids[it]: it for it in (*self.model.users, *self.model.tasks)}
        return books.read(self.service.sql, names, self.service.results)

    def _steps(self, message: Any, hurried: bool) -> Any:
        name = self.cast.name_of(task_of(message))

        def steps(model: Model) -> Steps:
            return batch_model.deliver(model, name, hurried)

        return steps

    def _visible(self, who: str) -> dict[str, int]:
        """How much of each list somebody sees."""
        model, everybody = self.model, who == ADMIN
        entries = [len(user.ledger) for name, user in model.users.items() if everybody or name == who]
        records = [it for it in model.records.values() if (everybody or it.owner == who) and not it.deleted]
        tasks = [it for it in model.tasks.values() if everybody or it.owner == who]
        return {"ledger": sum(entries), "records": len(records), "tasks": len(tasks)}

    def _of_others(self, who: str) -> list[str]:
        """Paths of a record and a task of somebody else's, as far as there are any."""
        records = [
            f"/records/{self.cast.ids[name]}"
            for name, it in self.model.records.items()
            if it.owner != who and not it.deleted and name in self.cast.ids
        ]
        tasks = [f"/tasks/{self.cast.ids[name]}" for name, it in self.model.tasks.items() if it.owner != who]
        return records[-1:] + tasks[-1:]
