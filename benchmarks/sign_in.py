"""Signing in through the handler, event in and response out, beside the password hash alone.

The hash is dear on purpose; everything else (throttle, account, tokens, session, cookies) should
hardly show beside it.
"""

import os
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from time import perf_counter
from typing import TextIO

from benchmarks import money
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.event import post
from benchmarks.report import Row, write
from shared.auth import passwords

EMAIL, PASSWORD = "defaultclient@client.as", "Test1234!"
LOGIN, HASH = "POST /login", "argon2 verify alone"
WARM_UP = 10


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with open(os.devnull, "w") as log:
        ways = {LOGIN: by_handler(log), HASH: by_hash()}
        with migrated() as postgres, connect(postgres.url) as database:
            samples = measure(ways, rounds)
            rows = [Row(LOGIN, "ms", samples[LOGIN], HASH, "≤ 1.1"), Row(HASH, "ms", samples[HASH])]
            command = f"python -m benchmarks.sign_in --rounds {rounds}"
            price = money.of_calls("sign-ins", rows[0].median, memory=money.PASSWORDS)
            note = f"**In money**, were all of it computing: {price}."
            write("sign_in", rows, command=command, notes=[note], database=database)


def measure(ways: Mapping[str, Callable[[], bool]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way, in turn."""
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(WARM_UP + rounds):
        for name, way in ways.items():
            started = perf_counter()
            assert way()
            samples[name].append((perf_counter() - started) * 1000)
    return {name: taken[WARM_UP:] for name, taken in samples.items()}


def by_handler(log: TextIO) -> Callable[[], bool]:
    with redirect_stdout(log):  # the one that the handler's logger then keeps
        from functions.auth.login import app
    request = post("/login", {"email": EMAIL, "password": PASSWORD})
    return lambda: app({**request, "headers": dict(request["headers"])}, None)["statusCode"] == 200


def by_hash() -> Callable[[], bool]:
    encoded = passwords.hash_password(PASSWORD)
    return lambda: passwords.verify(PASSWORD, encoded)


if __name__ == "__main__":
    main()
