"""Calls that are sent when they are due, whether or not earlier ones were answered: an open loop.

People do not wait for each other's answers, so a server that falls behind gets a queue, and the queue is
what the latencies must show: each counts from when its call was due, not from when it was sent. The calls
come at random times (a Poisson process), each over a connection of its own, which any idle process of the
gateway may take.

No available tool sends single calls at random times (a Poisson process) in an open loop: autocannon
sends each second's calls in one burst, loadtest measures whole milliseconds and drops calls without a
response at its end, and locust, molotov, wrk and hey wait for responses. artillery brings two clouds'
libraries and a browser. k6, vegeta and oha send at even intervals and need Go, Cargo or a download; tsung
and gatling need Erlang or Java.
"""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

import aiohttp

GIVE_UP = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    token: str
    body: bytes | None = None


@dataclass
class Answers:
    """What came of the calls.

    Args:
        latencies: ms from when a call was due until its answer was read.
        lateness: ms from when a call was due until it was sent: the generator's own share.
        seconds: until the last answer.
        processor: seconds of a processor that the generator took.
    """

    latencies: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    seconds: float = 0
    processor: float = 0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


def offer(url: str, calls: Sequence[Call], rate: float, seconds: float) -> Answers:
    """Send any of the calls, `rate` a second on average, and wait for all answers.

    Raises:
        ExceptionGroup: a call was not answered, or with another status than 200.
    """
    return asyncio.run(_timed(_offer(url, calls, rate, seconds)))


def wait_for_each(url: str, calls: Sequence[Call], at_once: int, seconds: float) -> Answers:
    """The closed loop: so many callers, each of whom sends the next call when the last is answered.

    Raises: as `offer`.
    """
    return asyncio.run(_timed(_wait_for_each(url, calls, at_once, seconds)))


async def _timed(sending: Coroutine[None, None, Answers]) -> Answers:
    started, worked = time.perf_counter(), time.process_time()
    answers = await sending
    answers.seconds = time.perf_counter() - started
    answers.processor = time.process_time() - worked
    return answers


async def _offer(url: str, calls: Sequence[Call], rate: float, seconds: float) -> Answers:
    answers = Answers()
    async with _session(url) as session, asyncio.TaskGroup() as sent:
        due = time.perf_counter()
        end = due + seconds
        while (due := due + random.expovariate(rate)) < end:
            await asyncio.sleep(due - time.perf_counter())
            sent.create_task(_send(session, random.choice(calls), due, answers))
    return answers


async def _wait_for_each(url: str, calls: Sequence[Call], at_once: int, seconds: float) -> Answers:
    answers = Answers()
    end = time.perf_counter() + seconds

    async def caller(session: aiohttp.ClientSession) -> None:
        while (now := time.perf_counter()) < end:
            await _send(session, random.choice(calls), now, answers)

    async with _session(url) as session, asyncio.TaskGroup() as callers:
        for _ in range(at_once):
            callers.create_task(caller(session))
    return answers


def _session(url: str) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(url, connector=connector, timeout=GIVE_UP, raise_for_status=True)


async def _send(session: aiohttp.ClientSession, call: Call, due: float, answers: Answers) -> None:
    answers.lateness.append((time.perf_counter() - due) * 1000)
    headers = {"Authorization": f"Bearer {call.token}", "Content-Type": "application/json"}
    async with session.request(call.method, call.path, data=call.body, headers=headers) as response:
        await response.read()
    answers.latencies.append((time.perf_counter() - due) * 1000)
