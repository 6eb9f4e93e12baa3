"""Compare the response times for wrong passwords of e-mails with and without an account.

If they differed, an attacker could find out which e-mails have an account. Each round measures a pair of
calls, from event to response, below the throttle's limits. No test depends on these times.
"""

import os
import statistics
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import redirect_stdout
from time import perf_counter
from typing import Any

from benchmarks.embedded_postgres import migrated
from benchmarks.event import post

WRONG = "no-digit"
"""A password that does not comply with the policy, because one that does would sign an unknown e-mail up."""
KNOWN, UNKNOWN = "an e-mail with an account", "an e-mail without one"
ROUNDS_PER_ADDRESS = 10
"""Each round has two failures, and the throttle allows 30 a minute per address."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    from functions.auth.login import app

    with migrated(), open(os.devnull, "w") as log, redirect_stdout(log):
        samples = measure(app, accounts(rounds))
    for name, milliseconds in samples.items():
        low, middle, high = statistics.quantiles(milliseconds, n=4, method="inclusive")
        print(f"{name:26} median {middle:6.2f} ms, middle half {low:.2f} to {high:.2f}")
    ratios = [own / its for own, its in zip(samples[KNOWN], samples[UNKNOWN], strict=True)]
    print(f"{rounds} rounds; the median of their ratios is {statistics.median(ratios):.3f}")


def accounts(count: int) -> list[str]:
    """Create accounts and return their e-mails. Each is used for one guess."""
    from shared import accounts

    emails = [f"known-{number}@example.com" for number in range(count)]
    for email in emails:
        accounts.create_user(email, "Lovelace1!", "client", None)
    return emails


def measure(app: Callable[..., dict[str, Any]], known: list[str]) -> dict[str, list[float]]:
    """Return the milliseconds of each rejection. The order of a pair alternates between rounds."""
    samples: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for number, email in enumerate(known):
        pair = [(KNOWN, email), (UNKNOWN, f"un{email}")]
        for name, tried in pair if number % 2 else reversed(pair):
            samples[name].append(rejection(app, tried, f"192.0.2.{number // ROUNDS_PER_ADDRESS}"))
    return samples


def rejection(app: Callable[..., dict[str, Any]], email: str, address: str) -> float:
    """Return the milliseconds until the handler rejects a guess."""
    request = post("/login", {"email": email, "password": WRONG})
    request["requestContext"]["http"]["sourceIp"] = address
    started = perf_counter()
    response = app(request, None)
    milliseconds = (perf_counter() - started) * 1000
    assert response["statusCode"] == 401, response
    return milliseconds


if __name__ == "__main__":
    main()
