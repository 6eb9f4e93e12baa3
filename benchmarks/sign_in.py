"""Compare a sign-in through the handler, from event to response, with only the password hash.

The hash is slow on purpose. Everything else (throttle, account, tokens, session, cookies) should take little
time in comparison. The least is the hash between the two statements, of which the second waits for the disk.
"""

import os
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from time import perf_counter
from uuid import uuid4

from benchmarks import money
from benchmarks.embedded_postgres import connect, migrated
from benchmarks.event import post
from benchmarks.report import Row, write
from shared import database
from shared.auth import passwords, throttle
from shared.auth.tokens import LIFETIME, TokenType

EMAIL, PASSWORD = "defaultclient@client.as", "Test1234!"
LOGIN, STATEMENTS, HASH = "POST /login", "argon2 verify and the two statements", "argon2 verify alone"
WARM_UP = 10


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with migrated() as postgres, connect(postgres.url) as connection:
        with open(os.devnull, "w") as log, redirect_stdout(log):
            samples = measure({LOGIN: by_handler(), STATEMENTS: by_statements(), HASH: by_hash()}, rounds)
        rows = [
            Row(LOGIN, "ms", samples[LOGIN], HASH, "≤ 1.08"),
            Row(f"{LOGIN}, beside the statements", "ms", samples[LOGIN], STATEMENTS),
            Row(STATEMENTS, "ms", samples[STATEMENTS], HASH),
            Row(HASH, "ms", samples[HASH]),
        ]
        command = f"python -m benchmarks.sign_in --rounds {rounds}"
        price = money.of_calls("sign-ins", rows[0].median, memory=money.PASSWORDS)
        note = f"**In money**, if all of the time is computing: {price}."
        write("sign_in", rows, command=command, notes=[note], database=connection)


def measure(variants: Mapping[str, Callable[[], bool]], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each variant. Each round runs them in turn."""
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(WARM_UP + rounds):
        for name, variant in variants.items():
            started = perf_counter()
            assert variant()
            samples[name].append((perf_counter() - started) * 1000)
    return {name: milliseconds[WARM_UP:] for name, milliseconds in samples.items()}


def by_handler() -> Callable[[], bool]:
    from functions.auth.login import app

    request = post("/login", {"email": EMAIL, "password": PASSWORD})
    return lambda: app({**request, "headers": dict(request["headers"])}, None)["statusCode"] == 200


def by_statements() -> Callable[[], bool]:
    buckets = throttle.sign_in_buckets(EMAIL, "127.0.0.1")

    def sign_in() -> bool:
        account = database.only("sign_in_attempt", email=EMAIL, **buckets)
        verified = passwords.verify(PASSWORD, account["password_hash"])
        session = database.only(
            "open_session",
            user_id=account["id"],
            verified_hash=account["password_hash"],
            password_hash=None,
            session_id=uuid4(),
            refresh_id=uuid4(),
            lifetime=LIFETIME[TokenType.REFRESH],
            **buckets,
        )
        return verified and session["id"] == account["id"]

    return sign_in


def by_hash() -> Callable[[], bool]:
    encoded = passwords.hash_password(PASSWORD)
    return lambda: passwords.verify(PASSWORD, encoded)


if __name__ == "__main__":
    main()
