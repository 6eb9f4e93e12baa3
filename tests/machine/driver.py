"""Asks the service and the model the same, and compares what they answer and what they keep."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from tests.machine import batch_model, books
from tests.machine.actions import Action, Request, SignIn, StopNow, sent
from tests.machine.cast import ADMIN, Cast
from tests.machine.explained import Crash, Thing, explanation, finish, mismatch
from tests.machine.model import Model, Steps
from tests.machine.service import Answer, Service, count_delivery, dies, task_of
from tests.support.batch.stage import AFTER, Fault

SENDS = "commit"
"""The step of a request that sends a message."""
PAGE = 100
"""The most that a page shows."""


class Driver:
    """One run of the service beside one of the model."""

    def __init__(self, service: Service) -> None:
        books.clear(service.sql)
        service.forget_messages()
        self.service, self.cast, self.outcomes = service, Cast(), service.outcomes
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
        request = self._request(action)
        if request is None:
            return
        fault = Fault(request.statement, moment, dies) if moment else None
        answer = self.service.ask(request.event, fault)
        if request.statement == SENDS:
            self.service.receive()
        if fault and fault.struck:
            assert answer is None
            Crash(fault.step, fault.moment).play(request.steps(self.model))
            self.outcomes[f"function died {moment}: {type(action).__name__}"] += 1
            if isinstance(action, SignIn):
                self.ask(action)  # once more: nobody has the session that may have been opened
            return
        expected = finish(request.steps(self.model))
        self._hear(action, request, answer)
        assert (found := mismatch(expected, answer)) == "", found

    def ask_two(self, one: Action, other: Action, hold: str = "") -> None:
        """Ask for both at the same time; some order of them must explain what came of it.

        Args:
            hold: as `Service.at_once`.
        """
        asked = [(action, request) for action in (one, other) if (request := self._request(action))]
        answers = self.service.at_once(
            *[lambda it=it: self.service.ask(it.event) for _, it in asked], hold=hold
        )
        self.service.receive()
        for (action, request), answer in zip(asked, answers, strict=True):
            self._hear(action, request, answer)
        keys = [request.key for _, request in asked]
        rivals = len(keys) == 2 and keys[0] == keys[1] is not None
        # Who is told that the other is still running has done nothing.
        done = [
            Thing(request.steps, answer)
            for (_, request), answer in zip(asked, answers, strict=True)
            if not (rivals and answer.status == 409)
        ]
        self._explain(done)

    def deliver(self, message: Any, hurried: bool, crash: Crash | None = None) -> None:
        """Give a message to a worker, that is hurried or dies."""
        fault = crash.fault() if crash else None
        outcome = self.service.deliver(message, hurried, fault)
        steps = self._steps(message, hurried)(self.model)
        died = crash.play(steps) if crash else finish(steps)
        assert outcome == ("died" if died else "done")
        if crash and died:
            self.outcomes[f"worker died: {crash.moment} {crash.step}"] += 1
        if died:
            count_delivery(message)
        else:
            self.service.settle(message)

    def deliver_during(self, message: Any, hurried: bool, action: Action) -> None:
        """Give a message to a worker, and ask for something at the same time."""
        request = self._request(action)
        if request is None:
            return
        steps = self._steps(message, hurried)
        outcome, answer = self.service.at_once(
            lambda: self.service.deliver(message, hurried), lambda: self.service.ask(request.event)
        )
        assert outcome == "done"
        self.service.settle(message)
        self._hear(action, request, answer)
        self._explain([Thing(steps, None), Thing(request.steps, answer)])

    def interrupt(self, message: Any, hurried: bool, commit: int, action: Action | None) -> None:
        """Give a message to a worker, and ask for something when it has committed so often; of nothing
        else, to cancel its task.
        """
        if action is None:
            action = StopNow(self.cast.names()[task_of(message)])
        request = self._request(action)
        if request is None:
            return
        answers = list[Answer | None]()

        def ask() -> bool:
            answers.append(self.service.ask(request.event))
            return True

        outcome = self.service.deliver(message, hurried, Fault("commit", AFTER, ask, commit))
        assert outcome == "done"
        steps = self._steps(message, hurried)(self.model)
        self.service.settle(message)
        comes_so_far = Crash("commit", AFTER, commit).play(steps)
        assert comes_so_far == bool(answers)
        if answers:
            expected = finish(request.steps(self.model))
            self.outcomes[f"worker interrupted: {type(action).__name__}"] += 1
            self._hear(action, request, answers[0])
            assert (found := mismatch(expected, answers[0])) == "", found
        finish(steps)

    def deliver_two(self, one: Any, other: Any, hurried: bool) -> None:
        """Give two messages to two workers, maybe of one task, maybe the same one."""
        things = [Thing(self._steps(it, hurried), None) for it in (one, other)]
        outcomes = self.service.at_once(
            *[lambda it=it: self.service.deliver(it, hurried) for it in (one, other)]
        )
        assert outcomes == ["done", "done"]
        self.service.settle(one, other)
        self._explain(things)

    def compare(self) -> None:
        """Everything that is kept. Raises: AssertionError when it is not as foretold, or never may be."""
        books.check(self.service.sql)
        truth, foretold = self._truth(), self.model.books()
        for what, kept in truth.items():
            assert kept == foretold[what]

    def look(self, turn: int) -> None:
        """Let somebody look at themselves and at something of another's; at each turn another person."""
        who = self.cast.person(turn)
        user = self.model.users[who]
        if user.deleted:
            self.told(sent(self.cast, who, "GET", "/users/me"), 401)
            return
        assert self.told(sent(self.cast, who, "GET", "/users/me"), 200).body["balance"] == user.balance
        if paths := self._of_others(who):
            path, status = paths[turn // len(self.model.users) % len(paths)]
            self.told(sent(self.cast, who, "GET", path), status if who == ADMIN else 404)
            self.outcomes["another's was looked for"] += who != ADMIN

    def look_at_lists(self) -> None:
        """Let everybody look at all their lists: they show what is theirs, all of it, and nothing else."""
        for resource, query in books.LISTED.items():
            listed = self.service.sql(query)
            for who, user in self.model.users.items():
                if user.deleted:
                    continue
                own = {id for id, owner in listed if who == ADMIN or owner == self.cast.ids[who]}
                page = self.told(sent(self.cast, who, "GET", f"/{resource}?page_size={PAGE}"), 200).body
                shown = [it["id"] for it in page[resource]]
                assert set(shown) <= own, (who, resource)
                assert (page["total"], len(shown)) == (len(own), min(PAGE, len(own))), (who, resource)
                self.outcomes["list looked at"] += 1

    def end(self) -> None:
        """Note what became of the tasks."""
        self.outcomes.update(f"task {task.status}" for task in self.model.tasks.values())

    def _request(self, action: Action) -> Request | None:
        """Of who and what there is by now, whoever was told of it."""
        self.cast.ids |= books.ids(self.service.sql)
        return action.request(self.cast)

    def _hear(self, action: Action, request: Request, answer: Answer | None) -> None:
        """Remember what an answer tells, and that a key's answer is ever the same, to the last byte."""
        assert answer
        told = answer.body.get("type", "").removeprefix("/problems/") if answer.status >= 400 else ""
        replay = "replayed" if answer.replayed else ""
        self.outcomes[" ".join(filter(None, [type(action).__name__, str(answer.status), told, replay]))] += 1
        if not 200 <= answer.status < 300:
            return
        if request.name:
            self.cast.ids[request.name] = answer.body.get("record_id") or answer.body["id"]
        if request.key:
            assert self._bodies.setdefault(request.key, answer.text) == answer.text
        if request.file:
            self.service.expect_message_of(answer.body["task_id"])
        for cookie in answer.cookies:
            name, _, value = cookie.partition("=")
            if name == "access_token_cookie":
                token = value.partition(";")[0]
                self.cast.tokens[_subject(token)] = token

    def _explain(self, things: list[Thing]) -> None:
        explained = explanation(self.model, things, truth := self._truth())
        answers = [thing.answer for thing in things]
        assert explained, f"in no order: {answers}, {truth}, from {self.model.books()}"
        self.cast.model = explained
        self.outcomes["two at once explained"] += len(things) == 2

    def _truth(self) -> dict[str, Any]:
        self.cast.ids |= books.ids(self.service.sql)
        return books.read(self.service.sql, self.cast.names(), self.service.results)

    def _steps(self, message: Any, hurried: bool) -> Any:
        name = self.cast.names()[task_of(message)]
        redelivered = int(message["Attributes"]["ApproximateReceiveCount"]) > 1

        def steps(model: Model) -> Steps:
            return batch_model.deliver(model, name, hurried, redelivered)

        return steps

    def _of_others(self, who: str) -> list[tuple[str, int]]:
        """Paths of a record and a task of somebody else's, as far as there are any; and what the admin is
        answered."""
        ids = self.cast.ids
        records = [
            (f"/records/{ids[name]}", 200)
            for name, it in self.model.records.items()
            if it.owner != who and not it.deleted and name in ids
        ]
        tasks = [(name, it) for name, it in self.model.tasks.items() if it.owner != who][-1:]
        return records[-1:] + [
            found
            for name, it in tasks
            for found in (
                (f"/tasks/{ids[name]}", 200),
                (f"/tasks/{ids[name]}/results", 303 if it.status == "completed" else 409),
            )
        ]


def _subject(token: str) -> str:
    """Whose it is."""
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"])
