"""A wrong password for an e-mail that has an account, beside one that has none: what a guesser could time.

Event in and response out, a pair a round; no throttle is reached. No test depends on these times.
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
"""It does not comply with the policy: with one that does, an unknown e-mail would sign up."""
KNOWN, UNKNOWN = "an e-mail with an account", "an e-mail without one"
ROUNDS_PER_ADDRESS = 10
"""Two failures a round, of the 30 a minute that an address has."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with open(os.devnull, "w") as log:
        with redirect_stdout(log):  # the one that the handler's logger then keeps
            from functions.auth.login import app
        with migrated():
            samples = measure(app, accounts(rounds))
    for name, taken in samples.items():
        low, middle, high = statistics.quantiles(taken, n=4, method="inclusive")
        print(f"{name:26} median {middle:6.2f} ms, middle half {low:.2f} to {high:.2f}")
    ratios = [own / its for own, its in zip(samples[KNOWN], samples[UNKNOWN], strict=True)]
    print(f"{rounds} rounds; the median of their ratios is {statistics.median(ratios):.3f}")


def accounts(count: int) -> list[str]:
    """The e-mails of new accounts: each is guessed at once."""
    from shared import accounts

    emails = [f"known-{number}@example.com" for number in range(count)]
    for email in emails:
        accounts.create_user(email, "Lovelace1!", "client", None)
    return emails


def measure(app: Callable[..., dict[str, Any]], known: list[str]) -> dict[str, list[float]]:
    """Milliseconds of each refusal; which comes first changes from round to round."""
    samples: dict[str, list[float]] = {KNOWN: [], UNKNOWN: []}
    for number, email in enumerate(known):
        pair = [(KNOWN, email), (UNKNOWN, f"un{email}")]
        for name, tried in pair if number % 2 else reversed(pair):
            samples[name].append(refusal(app, tried, f"192.0.2.{number // ROUNDS_PER_ADDRESS}"))
    return samples


def refusal(app: Callable[..., dict[str, Any]], email: str, address: str) -> float:
    """Milliseconds until a guess is refused."""
    request = post("/login", {"email": email, "password": WRONG})
    request["requestContext"]["http"]["sourceIp"] = address
    started = perf_counter()
    answer = app(request, None)
    taken = (perf_counter() - started) * 1000
    assert answer["statusCode"] == 401, answer
    return taken


if __name__ == "__main__":
    main()
