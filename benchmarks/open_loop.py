"""Send calls when they are due, without waiting for earlier responses: an open loop.

Users do not wait for each other's responses, so a queue grows when a server can't keep up, and the latencies
must include the time in that queue. A latency therefore begins when the call was due, not when it was sent.
Calls are due at random times (a Poisson process). Each uses its own connection, so that any idle process of
the gateway may accept it.

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

TIMEOUT = aiohttp.ClientTimeout(total=60)
"""60 seconds for a whole call."""


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    token: str
    body: bytes | None = None


@dataclass
class Responses:
    """The measurements of all calls.

    Args:
        latencies: milliseconds from the time at which a call was due until its response was read.
        lateness: milliseconds from the time at which a call was due until it was sent: the generator's delay.
        seconds: duration until the last response.
        processor: seconds of processor time that the generator used.
    """

    latencies: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    seconds: float = 0
    processor: float = 0

    @property
    def rate(self) -> float:
        """Responses a second."""
        return len(self.latencies) / self.seconds


def offer(url: str, calls: Sequence[Call], rate: float, seconds: float) -> Responses:
    """Send random calls, `rate` a second on average, and wait for all responses.

    Raises:
        ExceptionGroup: a call failed, or its response has an error status.
    """
    return asyncio.run(_timed(_offer(url, calls, rate, seconds)))


def wait_for_each(
    url: str, calls: Sequence[Call], at_once: int, seconds: float, kept: bool = False
) -> Responses:
    """Run a closed loop: `at_once` callers, each of which sends its next call after the last response.

    Args:
        kept: whether the callers use the same connections for all calls.

    Raises: as `offer`.
    """
    return asyncio.run(_timed(_wait_for_each(url, calls, at_once, seconds, kept)))


async def _timed(sending: Coroutine[None, None, Responses]) -> Responses:
    started, processor = time.perf_counter(), time.process_time()
    responses = await sending
    responses.seconds = time.perf_counter() - started
    responses.processor = time.process_time() - processor
    return responses


async def _offer(url: str, calls: Sequence[Call], rate: float, seconds: float) -> Responses:
    responses = Responses()
    async with _session(url) as session, asyncio.TaskGroup() as sent:
        due = time.perf_counter()
        end = due + seconds
        while (due := due + random.expovariate(rate)) < end:
            await asyncio.sleep(due - time.perf_counter())
            sent.create_task(_send(session, random.choice(calls), due, responses))
    return responses


async def _wait_for_each(
    url: str, calls: Sequence[Call], at_once: int, seconds: float, kept: bool
) -> Responses:
    responses = Responses()
    end = time.perf_counter() + seconds

    async def caller(session: aiohttp.ClientSession) -> None:
        while (now := time.perf_counter()) < end:
            await _send(session, random.choice(calls), now, responses)

    async with _session(url, kept=kept) as session, asyncio.TaskGroup() as callers:
        for _ in range(at_once):
            callers.create_task(caller(session))
    return responses


def _session(url: str, *, kept: bool = False) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, force_close=not kept)
    return aiohttp.ClientSession(url, connector=connector, timeout=TIMEOUT, raise_for_status=True)


async def _send(session: aiohttp.ClientSession, call: Call, due: float, responses: Responses) -> None:
    responses.lateness.append((time.perf_counter() - due) * 1000)
    headers = {"Authorization": f"Bearer {call.token}", "Content-Type": "application/json"}
    async with session.request(call.method, call.path, data=call.body, headers=headers) as response:
        await response.read()
    responses.latencies.append((time.perf_counter() - due) * 1000)
