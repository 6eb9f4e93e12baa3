"""One of many users: sends random requests, and records which changes the service acknowledged."""

import random
import threading
from collections.abc import Callable, Collection
from uuid import uuid4

import httpx

from tests.soak.responses import UNAVAILABLE, Responses
from tests.support.batch.harness import mixed_file
from tests.support.http_client import API, Client

ATTEMPTS = 5
"""The number of attempts with one idempotency key for a request that must succeed."""
MAX_RETRY_DELAY_SECONDS = 0.5
"""The longest delay of a user after a 503."""
FILE_ROWS = 300
RECENT = 20
"""The number of recent charges and tasks that a user repeats or reads."""


class User:
    """A user, who signs up on construction. `run` needs its own thread."""

    def __init__(
        self, url: str, address: str, admin_key: str, responses: Responses, stop: threading.Event, seed: str
    ) -> None:
        """Args:
        address: the user's own source address, because the throttle counts per address.
        admin_key: an admin's API key.
        stop: an event that stops the user.
        """
        self._client = Client(url, address=address).sign_up()
        self._admin = Client(url, address=address, bearer=admin_key)
        self._bucket = httpx.Client(trust_env=False, timeout=30, verify=False)
        self._responses, self._stop, self._random = responses, stop, random.Random(seed)
        self.id = self._client.id
        self.charged: dict[str, tuple[float, str]] = {}
        """The argument and the response by idempotency key."""
        self.sent = set[str]()
        """Tasks whose file is certainly in the bucket."""
        self._tasks = list[str]()
        self._actions = {
            self.charge: 40,
            self.replay: 8,
            self.read: 25,
            self.send_small_file: 4,
            self.upload: 4,
            self.change_task: 6,
            self.top_up: 8,
            self.sign_in: 5,
        }

    def run(self) -> None:
        actions, weights = list(self._actions), list(self._actions.values())
        first = self._random.sample(actions, len(actions))  # every action once, even in a short run
        while not self._stop.is_set():
            action = first.pop() if first else self._random.choices(actions, weights)[0]
            try:
                action()
            except Exception as error:
                self._responses.report(f"{action.__name__}: {error!r}")

    def close(self) -> None:
        for client in (self._client, self._admin, self._bucket):
            client.close()

    def charge(self) -> None:
        key, one = uuid4().hex, self._random.random()
        response = self._send_until_known("charge", "process_operation", self._sum(one), key, (200, 402, 409))
        if response:
            self.charged[key] = one, response.text

    def replay(self) -> None:
        if not self.charged:
            return
        key = self._random.choice(list(self.charged)[-RECENT:])
        one, first = self.charged[key]
        response = self._send_until_known("replay", "process_operation", self._sum(one), key, (200, 409))
        if response and (response.text, response.headers.get("Idempotent-Replayed")) != (first, "true"):
            self._responses.report(f"the replay of {first} returned {response.text}")

    def read(self) -> None:
        paths = ["users/me", "operations", "tasks", "records?sort=amount", "ledger?kind__in=charge,batch"]
        paths += [f"tasks/{task}" for task in self._tasks[-RECENT:]]
        path = self._random.choice(paths)
        self._send("read", "GET", f"{API}/{path}", (200,))

    def send_small_file(self) -> None:
        file = {"file": ("file.csv", self._file())}
        response = self._send("send a file", "POST", f"{API}/process_csv", (202, 429), files=file)
        if task := self._created_task(response, 202):
            self.sent.add(task)

    def upload(self) -> None:
        content = self._file()
        size = {"filename": "file.csv", "size": len(content)}
        response = self._send("begin an upload", "POST", f"{API}/tasks", (201, 429), json=size)
        if not (task := self._created_task(response, 201)) or not response:
            return
        grant = response.json()
        for _ in range(ATTEMPTS):
            try:
                sent = self._bucket.post(grant["url"], data=grant["fields"], files={"file": content})
            except httpx.TransportError:
                self._responses.record_broken("upload to S3")
            else:
                self._responses.record("upload to S3", sent, (204,))
                self.sent.add(task)
                return

    def change_task(self) -> None:
        if not self._tasks:
            return
        task = self._random.choice(self._tasks[-RECENT:])
        action, expected = self._random.choice((("cancel", 200), ("resume", 202), ("results", 303)))
        method = "GET" if action == "results" else "POST"
        self._send(action, method, f"{API}/tasks/{task}/{action}", (expected, 409))

    def top_up(self) -> None:
        grant = {"amount": self._random.choice((50, 500, 5000)), "reason": "soak"}
        self._send_until_known(
            "top up", f"users/{self.id}/credits", grant, uuid4().hex, (200, 409), self._admin
        )

    def sign_in(self) -> None:
        def attempt() -> httpx.Response:
            return self._client.sign_in(self._client.email)

        self._recorded("sign in", attempt, (200, 429))

    def _send_until_known(
        self,
        action: str,
        path: str,
        body: dict[str, object],
        key: str,
        expected: Collection[int],
        client: Client | None = None,
    ) -> httpx.Response | None:
        """Send until the outcome is known. Return the response if it succeeded, otherwise None."""
        for _ in range(ATTEMPTS):
            response = self._send(
                action,
                "POST",
                f"{API}/{path}",
                expected,
                client,
                json=body,
                headers={"Idempotency-Key": key},
            )
            if response and response.status_code not in (409, UNAVAILABLE):
                return response if response.is_success else None
        return None

    def _send(
        self,
        action: str,
        method: str,
        path: str,
        expected: Collection[int],
        client: Client | None = None,
        **options: object,
    ) -> httpx.Response | None:
        return self._recorded(
            action, lambda: (client or self._client).request(method, path, **options), expected
        )

    def _recorded(
        self, action: str, send: Callable[[], httpx.Response], expected: Collection[int]
    ) -> httpx.Response | None:
        try:
            response = send()
        except httpx.TransportError:
            self._responses.record_broken(action)
            return None
        self._responses.record(action, response, expected)
        if response.status_code == UNAVAILABLE:
            self._stop.wait(self._random.random() * MAX_RETRY_DELAY_SECONDS)
        return response

    def _created_task(self, response: httpx.Response | None, status: int) -> str:
        """Store and return the id of the created task, or return an empty string."""
        if response is None or response.status_code != status:
            return ""
        self._tasks.append(response.json()["task_id"])
        return self._tasks[-1]

    def _file(self) -> bytes:
        return mixed_file(self._random.randint(1, FILE_ROWS), self._random.randrange(10**6))

    def _sum(self, one: float) -> dict[str, object]:
        return {"type": "addition", "arguments": [one, 1]}
