"""Compare a charge through the handler, from event to response, with pgbench.

pgbench sends the same statement, `shared/database/sql/charge.sql`, prepared, to the same server, which then
creates the ids. Two more variants divide the difference: the statement without a handler, and the statement
with only Powertools' routing and validation. Each variant runs in one process per client, with one account
for all calls or a random account for each call.
"""

import os
import random
import re
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from decimal import Decimal
from multiprocessing import get_context
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from typing import Any
from uuid import UUID

from benchmarks import money
from benchmarks.embedded_postgres import connect, migrated, program
from benchmarks.event import post
from benchmarks.report import Row, write
from localstack.postgres import DATABASE, Postgres
from shared.auth import tokens
from shared.auth.caller import Credentials
from shared.billing import charges
from shared.database.connection import statement_text
from shared.operations.requests import OperationCall

CLIENTS = (1, 8)
ACCOUNTS = {"one account": 1, "1,000 accounts": 1000}
HANDLER, ROUTED = "handler", "routed and validated statement"
WARM_UP = 20
"""Charges before the measurement, which open the connection, prepare the statement and create its plan."""

INSERT_USERS = """
WITH person AS (
    INSERT INTO users (id, email, password_hash, role, balance)
    SELECT lpad(to_hex(n), 32, '0')::uuid, n || '@bench.example', 'none', 'client', 1e12
    FROM generate_series(1, {count}) n RETURNING id)
INSERT INTO sessions (id, user_id, refresh_id, expires_at)
SELECT id, id, id, now() + interval '1 day' FROM person"""

# SQL expressions for the statement's parameters in pgbench. The others are null.
PGBENCH = {
    "session_id": "lpad(to_hex(:account::int), 32, '0')",
    "record_id": "uuidv7()",
    "entry_id": "uuidv7()",
    "type": "'addition'",
    "arguments": "'[1.5, 2]'",
    "result": "'3.5'",
    "fingerprint": rf"'\x{'00' * 32}'",
}

Charge = Callable[[UUID], None]
PATH, BODY = "/api/v1/process_operation", {"type": "addition", "arguments": [1.5, 2]}


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    samples: dict[tuple[str, str, int], list[float]] = {}
    with migrated() as postgres, connect(postgres.url) as connection:
        connection.run(INSERT_USERS.format(count=max(ACCOUNTS.values())))
        processes = get_context("spawn")
        gates = {clients: processes.Barrier(clients) for clients in CLIENTS}
        with processes.Pool(max(CLIENTS), _initialize_process, (gates,)) as pool:
            for _ in range(options.rounds):
                for label, accounts in ACCOUNTS.items():
                    for clients in CLIENTS:
                        rates = _rates(pool, postgres, clients, accounts, options.seconds)
                        for variant, rate in rates.items():
                            samples.setdefault((variant, label, clients), []).append(rate)
        command = f"python -m benchmarks.charge --rounds {options.rounds} --seconds {options.seconds:g}"
        rows = _rows(samples)
        write("charge", rows, command=command, notes=_notes(rows), database=connection)


def _rates(pool: Pool, postgres: Postgres, clients: int, accounts: int, seconds: float) -> dict[str, float]:
    """Return the charges a second of each variant. Run them in random order."""
    variants = {
        HANDLER: lambda: _run(pool, _by_handler, clients, accounts, seconds),
        ROUTED: lambda: _run(pool, _by_resolver, clients, accounts, seconds),
        "statement by pg8000": lambda: _run(pool, _by_statement, clients, accounts, seconds),
        "pgbench": lambda: _pgbench(postgres, clients, accounts, seconds),
    }
    rates = {variant: variants[variant]() for variant in random.sample(list(variants), len(variants))}
    return {variant: rates[variant] for variant in variants}


def _rows(samples: dict[tuple[str, str, int], list[float]]) -> list[Row]:
    rows = []
    for (variant, label, clients), rates in samples.items():
        load = f"{label}, {clients} at once"
        baseline = "" if variant == "pgbench" else f"pgbench, {load}"
        aim = "≥ 0.7" if variant == HANDLER else ""
        rows.append(Row(f"{variant}, {load}", "/s", rates, baseline, aim))
        if variant == HANDLER:
            rows.append(
                Row(f"{HANDLER}, {load}, beside the {ROUTED}", "/s", rates, f"{ROUTED}, {load}", "≥ 0.92")
            )
    return rows


def _notes(rows: list[Row]) -> list[str]:
    whole, waiting = (
        1000 / next(row.median for row in rows if row.what == f"{variant}, 1,000 accounts, 1 at once")
        for variant in (HANDLER, "pgbench")
    )
    return [
        "With pgbench the server creates the ids of records and ledger entries; in the other variants the"
        " client creates them.",
        f"**In money**: {money.of_calls('charges', max(whole - waiting, 0), waiting)}. The waiting time is"
        " pgbench's, over a Unix socket.",
    ]


def _pgbench(postgres: Postgres, clients: int, accounts: int, seconds: float) -> float:
    statement = re.sub(r"--.*", "", statement_text("charge"))
    for name, value in PGBENCH.items():
        statement = re.sub(rf"(?<!:):{name}\b", value.replace("\\", r"\\"), statement)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"\\set account random(1, {accounts})\n{statement};\n")
        script.flush()
        output = subprocess.run(
            [
                *(program("pgbench"), "-n", "-M", "prepared", "-f", script.name, "-T", f"{seconds:.0f}"),
                *("-c", str(clients), "-j", str(min(clients, os.cpu_count() or 1))),
                *("-h", postgres.socket_folder, "-U", "postgres", DATABASE),
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    assert "failed transactions: 0" in output, output
    return float(output.partition("tps = ")[2].split()[0])


def _run(
    pool: Pool, make: Callable[[list[UUID]], Charge], clients: int, accounts: int, seconds: float
) -> float:
    return sum(pool.starmap(_client, [(make, clients, accounts, seconds)] * clients, chunksize=1))


def _client(make: Callable[[list[UUID]], Charge], clients: int, accounts: int, seconds: float) -> float:
    """Return the charges a second of one client. All clients begin at the same time."""
    people = [UUID(int=number + 1) for number in range(accounts)]
    charge = make(people)
    for _ in range(WARM_UP):
        charge(random.choice(people))
    _gates[clients].wait()
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        charge(random.choice(people))
        done += 1
    return done / elapsed


def _by_handler(people: list[UUID]) -> Charge:
    from functions.calculator.process_operation import app

    return _calling(app, {person: _event(person) for person in people})


def _event(person: UUID) -> dict[str, Any]:
    """Return the event of a browser's call, whose token this process has verified before.

    A process at these rates gets the token of each of 1,000 accounts dozens of times until it expires, but a
    measurement of seconds would consist of first times.
    """
    signed_in = tokens.issue(person, person, "client")
    tokens.verify(signed_in.access, tokens.TokenType.ACCESS)
    cookies = [f"access_token_cookie={signed_in.access}"]
    return post(PATH, BODY, headers={"x-csrf-token": signed_in.csrf}, cookies=cookies)


def _by_resolver(people: list[UUID]) -> Charge:
    """Return a charge with only Powertools' routing and validation: no token, log or response body."""
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

    app, charge = APIGatewayHttpResolver(enable_validation=True), _by_statement(people)

    @app.post(PATH)
    def process_operation(body: OperationCall) -> Response[str]:
        charge(UUID(app.current_event.headers["person"]))
        return Response(200, "application/json", "{}")

    return _calling(app, {person: post(PATH, BODY, headers={"person": str(person)}) for person in people})


def _calling(app: Callable[[dict[str, Any], Any], Any], events: Mapping[UUID, dict[str, Any]]) -> Charge:
    def charge(person: UUID) -> None:
        response = app(dict(events[person]), None)
        assert response["statusCode"] == 200, response

    return charge


def _by_statement(people: list[UUID]) -> Charge:
    def charge(person: UUID) -> None:
        call = charges.Call(Credentials(session_id=person), "addition", "[1.5, 2]", None)
        charges.charge(call, Decimal("3.5"))

    return charge


_gates: dict[int, Barrier] = {}


def _initialize_process(gates: dict[int, Barrier]) -> None:
    """Store the barriers, and redirect the log of the calls to /dev/null."""
    _gates.update(gates)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
