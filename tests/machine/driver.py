"""Sends the same requests to the service and the model, and compares responses and stored data."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared import aws
from tests.machine import batch_model, database_state
from tests.machine.actions import Action, Request, SignIn, StopNow, as_csv, request_event
from tests.machine.linearizability import Crash, ExecutedAction, finish, linearize, mismatch
from tests.machine.model import ADMIN, UNFINISHED, ApiKey, Caller, Model, Steps
from tests.machine.registry import Registry
from tests.machine.service import Service, count_delivery, dies, file_of
from tests.support.batch.stage import AFTER, Fault
from tests.support.functions import Response

SENDS = ("commit", "create_export")
"""The steps of the traffic of requests that may send a message."""
HOURS = timedelta(days=10)
"""The range of the checked usage. A run lets fewer hours pass."""
USAGE = ("calls", "rows", "spent")
PAGE = 100
"""Largest page size."""


class Driver:
    """One run of the service and the model side by side."""

    def __init__(self, service: Service) -> None:
        database_state.clear(service.sql)
        service.forget_messages()
        self.service, self.registry, self.outcomes = service, Registry(), service.outcomes
        self._bodies = dict[tuple[str, str], str]()
        """The raw response body for each (user, idempotency key) that got a response."""

    @property
    def model(self) -> Model:
        return self.registry.model

    def send(self, event: Mapping[str, Any], status: int) -> Response:
        """Send a request and return the response. Raises: AssertionError if the status differs."""
        response = self.service.send(event)
        assert response
        assert response.status == status, response
        return response

    def create_api_key(self, who: str, limit: Decimal) -> None:
        """Create an API key with a spending limit for a user."""
        body = {"name": "machine", "spend_limit": {"amount": limit, "per": "total"}}
        caller = self.registry.caller(who)
        response = self.send(request_event(self.registry, caller, "POST", "/api_keys", body), 201)
        self.registry.secrets[who] = response.body["key"]
        self.model.api_keys[who] = ApiKey(limit)

    def execute(self, action: Action, moment: str | None = None) -> None:
        """Execute an action. With a `moment`, the container dies before or after the commit."""
        request = self._request(action)
        if request is None:
            return
        fault = Fault(request.statement, moment, dies) if moment else None
        response = self.service.send(request.event, fault)
        if request.statement in SENDS:
            self.service.receive()
        if fault and fault.struck:
            assert response is None
            Crash(fault.step, fault.moment).play(request.steps(self.model))
            if request.name:
                self._find_created(request.name)
            self.outcomes[f"function died {moment}: {type(action).__name__}"] += 1
            if isinstance(action, SignIn):
                self.execute(
                    action
                )  # sign in again: the client did not receive the tokens of a session that may exist
            return
        expected = finish(request.steps(self.model))
        self._record_response(action, request, response)
        assert (found := mismatch(expected, response)) == "", found

    def put_file(self, task: str) -> None:
        """Upload the file of a task to the bucket, and receive its message."""
        self._read_ids()
        found, ids = self.model.tasks[task], self.registry.ids
        self.service.store(aws.upload_key(UUID(ids[found.owner]), UUID(ids[task])), as_csv(found.rows))
        found.stored = True

    def execute_both(self, one: Action, other: Action, hold: str = "") -> None:
        """Execute two actions at the same time. Some order of their steps must explain the outcome.

        Args:
            hold: see `Service.run_concurrently`.
        """
        requests = [(action, request) for action in (one, other) if (request := self._request(action))]
        responses = self.service.run_concurrently(
            *[lambda it=it: self.service.send(it.event) for _, it in requests], hold=hold
        )
        self.service.receive()
        for (action, request), response in zip(requests, responses, strict=True):
            self._record_response(action, request, response)
        keys = [request.key for _, request in requests]
        rivals = len(keys) == 2 and keys[0] == keys[1] is not None
        # A request rejected because the other one with its key still runs has changed nothing.
        done = [
            ExecutedAction(request.steps, response)
            for (_, request), response in zip(requests, responses, strict=True)
            if not (rivals and response.status == 409)
        ]
        self._linearize(done)

    def deliver(self, message: Any, hurried: bool, crash: Crash | None = None) -> None:
        """Deliver a message to a worker, which may be hurried or killed."""
        if crash:
            task = self.model.tasks.get(self._name_of(message))
            crash = replace(crash, dry_run=task is not None and task.dry_run)
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
        """Deliver a message to a worker and execute an action at the same time."""
        request = self._request(action)
        if request is None:
            return
        steps = self._steps(message, hurried)
        outcome, response = self.service.run_concurrently(
            lambda: self.service.deliver(message, hurried), lambda: self.service.send(request.event)
        )
        assert outcome == "done"
        self.service.settle(message)
        self._record_response(action, request, response)
        self._linearize([ExecutedAction(steps, None), ExecutedAction(request.steps, response)])

    def interrupt(self, message: Any, hurried: bool, commit: int, action: Action | None) -> None:
        """Deliver a message to a worker, and execute an action after its nth commit.

        Without an action, cancel the task of the message, if it is not an export's.
        """
        if action is None:
            if (task := self._name_of(message)) not in self.model.tasks:
                return
            action = StopNow(task)
        request = self._request(action)
        if request is None:
            return
        responses = list[Response | None]()

        def interrupt() -> bool:
            responses.append(self.service.send(request.event))
            return True

        outcome = self.service.deliver(message, hurried, Fault("commit", AFTER, interrupt, commit))
        assert outcome == "done"
        steps = self._steps(message, hurried)(self.model)
        self.service.settle(message)
        reached_commit = Crash("commit", AFTER, commit).play(steps)
        assert reached_commit == bool(responses)
        if responses:
            expected = finish(request.steps(self.model))
            self.outcomes[f"worker interrupted: {type(action).__name__}"] += 1
            self._record_response(action, request, responses[0])
            assert (found := mismatch(expected, responses[0])) == "", found
        finish(steps)

    def deliver_two(self, one: Any, other: Any, hurried: bool) -> None:
        """Deliver two messages to two workers. They may be of one task, or the same message."""
        actions = [ExecutedAction(self._steps(it, hurried), None) for it in (one, other)]
        outcomes = self.service.run_concurrently(
            *[lambda it=it: self.service.deliver(it, hurried) for it in (one, other)]
        )
        assert outcomes == ["done", "done"]
        self.service.settle(one, other)
        self._linearize(actions)

    def compare(self) -> None:
        """Compare the whole database with the model, and check the invariants."""
        database_state.check(self.service.sql)
        stored, predicted = self._stored_state(), self.model.expected_state()
        for what, kept in stored.items():
            assert kept == predicted[what], f"{what}: {kept}, but the model predicts {predicted[what]}"

    def check_reads(self, turn: int) -> None:
        """Read a user's own balance and sessions, and another user's object. Each turn checks another one."""
        who = self.registry.user(turn)
        user = self.model.users[who]
        for session in self.registry.sessions(who):
            self._get(Caller(who, session), "/users/me", 200 if user.sessions[session] else 401)
        caller = self.registry.caller(who)
        if not self.model.may_call(caller):
            return
        assert self._get(caller, "/users/me").body["balance"] == user.balance
        sessions = self._get(caller, f"/sessions?page_size={PAGE}").body["sessions"]
        assert {self.registry.names()[it["id"]]: it["current"] for it in sessions} == {
            name: name == caller.session for name, valid in user.sessions.items() if valid
        }
        if paths := self._of_others(who):
            path, status = paths[turn // len(self.model.users) % len(paths)]
            self._get(caller, path, status if who == ADMIN else 404)
            self.outcomes["access to another user's object rejected"] += who != ADMIN

    def check_lists(self) -> None:
        """Check that each list and the usage of each user shows exactly their own items."""
        for who in self.model.users:
            caller = self.registry.caller(who)
            if not self.model.may_call(caller):
                continue
            for resource, query in database_state.LISTED.items():
                owners = self.service.sql(query)
                own = {id for id, owner in owners if who == ADMIN or owner == self.registry.ids[who]}
                page = self._get(caller, f"/{resource}?page_size={PAGE}").body
                shown = [it["id"] for it in page[resource]]
                assert set(shown) <= own, (who, resource)
                assert (page["total"], len(shown)) == (len(own), min(PAGE, len(own))), (who, resource)
                self.outcomes["list checked"] += 1
            for by in ("hour", "day", "month"):
                self._check_usage(caller, by)

    def _check_usage(self, caller: Caller, by: str) -> None:
        """Check a user's usage, or for the admin that of all users, against the ledger and the model."""
        end = (datetime.now(UTC) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        path = f"/usage?by={by}&from={_hour(end - HOURS)}&to={_hour(end)}"
        usage = self._get(caller, path).body["usage"]
        who = None if caller.name == ADMIN else caller.name
        charged = self.service.sql(database_state.CHARGED, by=by, user_id=who and self.registry.ids[who])
        periods = {it["period"] for it in usage}
        spent = {period: sum(it["spent"] for it in usage if it["period"] == period) for period in periods}
        charged = {period: sum for period, sum in charged if sum or period in spent}
        assert spent == charged, f"{caller} by {by}: {spent}, but the ledger has {charged}"
        operations = {
            operation: tuple(sum(it[name] for it in usage if it["operation"] == operation) for name in USAGE)
            for operation in {it["operation"] for it in usage}
        }
        assert operations == (predicted := self.model.usage_of(who)), (
            f"{caller}: {operations}, not {predicted}"
        )
        self.outcomes["usage in several periods"] += len(periods) > 1

    def restart_results(self) -> None:
        """Send a message for each ended task without results, as housekeeping does after a suspension."""
        ids = self.registry.ids
        for name, task in self.model.tasks.items():
            if task.results is None and task.status not in UNFINISHED:
                self.service.send_message(aws.upload_key(UUID(ids[task.owner]), UUID(ids[name])))

    def restart_exports(self) -> None:
        """Send a message for each queued export, as housekeeping does if the message was lost."""
        for id, owner, format in self.service.sql(database_state.QUEUED_EXPORTS):
            self.service.send_message(aws.export_key(owner, id, format))

    def end(self) -> None:
        """Count the final statuses of the tasks and exports."""
        self.outcomes.update(f"task {task.status}" for task in self.model.tasks.values())
        self.outcomes.update(f"export {export.status}" for export in self.model.exports.values())

    def _read_ids(self) -> None:
        """Store the ids of all objects that have names of their own in the database."""
        self.registry.ids |= database_state.ids(self.service.sql)

    def _request(self, action: Action) -> Request | None:
        self._read_ids()
        return action.request(self.registry)

    def _record_response(self, action: Action, request: Request, response: Response | None) -> None:
        """Store the ids and tokens of a response. Check that replays of a key are byte-identical."""
        assert response
        problem = response.body.get("type", "").removeprefix("/problems/") if response.status >= 400 else ""
        replay = "replayed" if response.replayed else ""
        self.outcomes[
            " ".join(filter(None, [type(action).__name__, str(response.status), problem, replay]))
        ] += 1
        if not 200 <= response.status < 300:
            return
        if request.name and not response.replayed:
            self.registry.ids[request.name] = response.body.get("record_id") or response.body["id"]
        if request.key:
            assert self._bodies.setdefault(request.key, response.text) == response.text
        if request.file:
            self.service.expect_message_of(response.body["task_id"])
        for cookie in response.cookies:
            name, _, value = cookie.partition("=")
            if name == "access_token_cookie":
                token = value.partition(";")[0]
                self.registry.tokens[_session(token)] = token

    def _linearize(self, actions: list[ExecutedAction]) -> None:
        explained = linearize(self.model, actions, stored := self._stored_state())
        responses = [action.response for action in actions]
        assert explained, (
            f"no order explains {responses} and {stored}, starting from {self.model.expected_state()}"
        )
        self.registry.model = explained
        self.outcomes["concurrent actions linearized"] += len(actions) == 2

    def _stored_state(self) -> dict[str, Any]:
        self._read_ids()
        return database_state.read(
            self.service.sql, self.registry.names(), self.service.results, self.service.exported
        )

    def _steps(self, message: Any, hurried: bool) -> Any:
        name = self._name_of(message)
        redelivered = int(message["Attributes"]["ApproximateReceiveCount"]) > 1

        def steps(model: Model) -> Steps:
            if name in model.exports:
                return model.write_export(name, redelivered)
            return batch_model.deliver(model, name, hurried, redelivered)

        return steps

    def _name_of(self, message: Any) -> str:
        """Return the task or the export of a message."""
        return self.registry.names()[file_of(message)]

    def _find_created(self, name: str) -> None:
        """Store the id of the record or export that a request may have created, whose response was lost."""
        unknown = self.service.sql(database_state.UNKNOWN, known=list(self.registry.ids.values()))
        assert len(unknown) <= 1
        for (id,) in unknown:
            self.registry.ids[name] = id

    def _get(self, caller: Caller, path: str, status: int = 200) -> Response:
        return self.send(request_event(self.registry, caller, "GET", path), status)

    def _of_others(self, who: str) -> list[tuple[str, int]]:
        """Return paths of another user's record and task, if any, with the status for the admin."""
        ids = self.registry.ids
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
                (f"/tasks/{ids[name]}/results", 303 if it.results is not None else 409),
            )
        ]


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:00:00Z}"


def _session(token: str) -> str:
    """Return the id of the token's session."""
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sid"])
