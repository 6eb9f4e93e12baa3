"""One of many users: does this and that, as fast as the service answers, and minds what it was promised."""

import random
import threading
from collections.abc import Callable, Collection
from uuid import uuid4

import httpx

from tests.soak.answers import UNAVAILABLE, Answers
from tests.support.batch.harness import mixed_file
from tests.support.http_client import API, Client

TRIES = 5
"""How often something that must not get lost is sent again, by the same key."""
PATIENCE = 0.5
"""Seconds that a user waits at the most who was told that the service can't just now."""
FILE_ROWS = 300
REMEMBERED = 20
"""Charges and tasks that a user comes back to."""


class User:
    """Signed up on construction; `run` it in a thread of its own."""

    def __init__(
        self, url: str, address: str, program: str, answers: Answers, over: threading.Event, seed: str
    ) -> None:
        """Args:
        address: of the user's own, for the throttle counts by it.
        program: an admin's API key.
        over: set when it is to end.
        """
        self._client = Client(url, address=address).sign_up()
        self._admin = Client(url, address=address, bearer=program)
        self._bucket = httpx.Client(trust_env=False, timeout=30)
        self._answers, self._over, self._chance = answers, over, random.Random(seed)
        self.id = self._client.id
        self.charged: dict[str, tuple[float, str]] = {}
        """By idempotency key: what was asked, and the answer."""
        self.sent = set[str]()
        """Tasks whose file is surely in the bucket."""
        self._tasks = list[str]()
        self._actions = {
            self.charge: 40,
            self.replay: 8,
            self.look: 25,
            self.send_small_file: 4,
            self.upload: 4,
            self.change_task: 6,
            self.top_up: 8,
            self.sign_in: 5,
        }

    def run(self) -> None:
        actions, weights = list(self._actions), list(self._actions.values())
        first = self._chance.sample(actions, len(actions))  # however short it is, everything once
        while not self._over.is_set():
            action = first.pop() if first else self._chance.choices(actions, weights)[0]
            try:
                action()
            except Exception as error:
                self._answers.complain(f"{action.__name__} of a user: {error!r}")

    def close(self) -> None:
        for client in (self._client, self._admin, self._bucket):
            client.close()

    def charge(self) -> None:
        key, one = uuid4().hex, self._chance.random()
        answer = self._insistently("charge", "process_operation", self._sum(one), key, (200, 402, 409))
        if answer:
            self.charged[key] = one, answer.text

    def replay(self) -> None:
        if not self.charged:
            return
        key = self._chance.choice(list(self.charged)[-REMEMBERED:])
        one, first = self.charged[key]
        answer = self._insistently("replay", "process_operation", self._sum(one), key, (200, 409))
        if answer and (answer.text, answer.headers.get("Idempotent-Replayed")) != (first, "true"):
            self._answers.complain(f"a replay of {first} was {answer.text}")

    def look(self) -> None:
        paths = ["users/me", "operations", "tasks", "records?sort=amount", "ledger?kind__in=charge,batch"]
        paths += [f"tasks/{task}" for task in self._tasks[-REMEMBERED:]]
        path = self._chance.choice(paths)
        self._ask("look", "GET", f"{API}/{path}", (200,))

    def send_small_file(self) -> None:
        file = {"file": ("file.csv", self._file())}
        answer = self._ask("send a file", "POST", f"{API}/process_csv", (202, 429), files=file)
        if task := self._begun(answer, 202):
            self.sent.add(task)

    def upload(self) -> None:
        content = self._file()
        size = {"filename": "file.csv", "size": len(content)}
        answer = self._ask("begin an upload", "POST", f"{API}/tasks", (201, 429), json=size)
        if not (task := self._begun(answer, 201)) or not answer:
            return
        grant = answer.json()
        for _ in range(TRIES):
            try:
                sent = self._bucket.post(grant["url"], data=grant["fields"], files={"file": content})
            except httpx.TransportError:
                self._answers.note_broken("upload to S3")
            else:
                self._answers.note("upload to S3", sent, (204,))
                self.sent.add(task)
                return

    def change_task(self) -> None:
        if not self._tasks:
            return
        task = self._chance.choice(self._tasks[-REMEMBERED:])
        what, expected = self._chance.choice((("cancel", 200), ("resume", 202), ("results", 303)))
        method = "GET" if what == "results" else "POST"
        self._ask(what, method, f"{API}/tasks/{task}/{what}", (expected, 409))

    def top_up(self) -> None:
        grant = {"amount": self._chance.choice((50, 500, 5000)), "reason": "soak"}
        self._insistently("top up", f"users/{self.id}/credits", grant, uuid4().hex, (200, 409), self._admin)

    def sign_in(self) -> None:
        def attempt() -> httpx.Response:
            return self._client.sign_in(self._client.email)

        self._noted("sign in", attempt, (200, 429))

    def _insistently(
        self,
        what: str,
        path: str,
        body: dict[str, object],
        key: str,
        expected: Collection[int],
        client: Client | None = None,
    ) -> httpx.Response | None:
        """Sent until it is known whether it was done: the answer if it was, and None if not."""
        for _ in range(TRIES):
            answer = self._ask(
                what,
                "POST",
                f"{API}/{path}",
                expected,
                client,
                json=body,
                headers={"Idempotency-Key": key},
            )
            if answer and answer.status_code not in (409, UNAVAILABLE):
                return answer if answer.is_success else None
        return None

    def _ask(
        self,
        what: str,
        method: str,
        path: str,
        expected: Collection[int],
        client: Client | None = None,
        **how: object,
    ) -> httpx.Response | None:
        return self._noted(what, lambda: (client or self._client).request(method, path, **how), expected)

    def _noted(
        self, what: str, ask: Callable[[], httpx.Response], expected: Collection[int]
    ) -> httpx.Response | None:
        try:
            answer = ask()
        except httpx.TransportError:
            self._answers.note_broken(what)
            return None
        self._answers.note(what, answer, expected)
        if answer.status_code == UNAVAILABLE:
            self._over.wait(self._chance.random() * PATIENCE)
        return answer

    def _begun(self, answer: httpx.Response | None, status: int) -> str:
        """The id of the task that was begun, if one was."""
        if answer is None or answer.status_code != status:
            return ""
        self._tasks.append(answer.json()["task_id"])
        return self._tasks[-1]

    def _file(self) -> bytes:
        return mixed_file(self._chance.randint(1, FILE_ROWS), self._chance.randrange(10**6))

    def _sum(self, one: float) -> dict[str, object]:
        return {"type": "addition", "arguments": [one, 1]}
