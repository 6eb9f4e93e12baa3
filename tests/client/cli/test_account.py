"""keys, sessions, password, low-balance and exports."""

import csv
import json
from pathlib import Path

from restcalc.cli.exit_codes import ExitCode
from tests.support.command_line.runner import CommandLine
from tests.support.http_client import PASSWORD

NEW_PASSWORD = "another-horse-2!"


def test_key_is_created_listed_and_revoked(cli: CommandLine, tmp_path: Path) -> None:
    options = ("--scope", "compute", "--spend-limit", "5/day", "--expires", "2100-01-01")
    key = cli("keys", "create", "nightly", *options).out.strip()
    program = CommandLine(cli.url, tmp_path, "", {"RESTCALC_API_KEY": key})
    assert program("compute", "addition", 1, 2).out == "3\n"
    assert program("compute", "addition", 1, 2).code == ExitCode.NO_CREDIT
    lacks = program("balance")
    assert (lacks.code, "lacks the scope 'read'" in lacks.err) == (ExitCode.REFUSED, True)
    listed = [json.loads(line) for line in cli("keys", "list", "--json").out.splitlines()]
    (id,) = [row["id"] for row in listed if row["name"] == "nightly"]
    assert key not in str(listed)
    assert "Add --yes to confirm" in cli("keys", "revoke", id).err
    assert cli("keys", "revoke", id, "--yes").code == 0
    rejected = program("balance")
    assert (rejected.code, rejected.err) == (
        ExitCode.NOT_SIGNED_IN,
        "The service rejected the key in RESTCALC_API_KEY. Set another key, or unset the variable.\n",
    )
    for wrong in ("0", "x", "5/week"):
        assert cli("keys", "create", "x", "--spend-limit", wrong).code == ExitCode.USAGE


def test_session_is_listed_and_ended(cli: CommandLine) -> None:
    from restcalc import Client

    with Client(cli.url, api_key="") as client:
        client.login(cli.email, PASSWORD)
        ((id, *_),) = cli("sessions", "list").rows[1:]
        assert cli("sessions", "end", id).code == 0
    assert cli("sessions", "list").rows[1:] == []


def test_password_is_changed(cli: CommandLine) -> None:
    differing = cli("password", terminal=True, input=f"{NEW_PASSWORD}\nother\n")
    assert (differing.code, "The passwords differ." in differing.err) == (ExitCode.USAGE, True)
    assert cli("password", terminal=True, input=f"{NEW_PASSWORD}\n{NEW_PASSWORD}\n").code == 0
    assert cli("login").code == ExitCode.NOT_SIGNED_IN
    assert cli("login", RESTCALC_PASSWORD=NEW_PASSWORD).code == 0


def test_threshold_of_a_low_balance_is_printed_set_and_removed(cli: CommandLine) -> None:
    assert cli("low-balance").out == "none\n"
    assert json.loads(cli("low-balance", "--json").out) == {"low_balance_threshold": None}
    assert cli("low-balance", "12.5").out == "The threshold is 12.5.\n"
    assert cli("low-balance").out == "12.5\n"
    for wrong in (["0"], ["-1"], ["x"], ["5", "--none"]):
        assert cli("low-balance", *wrong).code == ExitCode.USAGE
    assert json.loads(cli("low-balance", "7", "--json").out) == {"low_balance_threshold": 7}
    assert cli("low-balance", "--none").out == "The threshold is removed.\n"
    assert cli("low-balance").out == "none\n"


def test_export_is_written_to_a_file_or_to_standard_output(cli: CommandLine, folder: Path) -> None:
    for number in range(3):
        assert cli("compute", "addition", number, 1).code == 0
    created = cli(
        "export", "create", "records", "--where", "operation=addition", "--fields", "arguments,amount"
    )
    assert (created.code, created.out) == (0, "records.csv\n")
    with (folder / "records.csv").open(newline="") as content:
        assert list(csv.reader(content)) == [
            ["arguments", "amount"],
            *([f"[{number}, 1]", "5"] for number in (2, 1, 0)),
        ]
    lines = cli(
        "export", "create", "ledger", "--since", "1h", "--format", "jsonl", "-o", "-"
    ).out.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["charge"] * 3 + ["opening"]
    (ledger, records) = cli("export", "list", "--fields", "id,resource,status").rows[1:]
    assert (ledger[1:], records[1:]) == (["ledger", "completed"], ["records", "completed"])
    again = json.loads(cli("export", "get", records[0], "-o", "again.csv", "--json").out)
    assert (again["file"], again["export"]["rows_done"]) == ("again.csv", 3)
    assert (folder / "again.csv").read_bytes() == (folder / "records.csv").read_bytes()
    refused = cli("export", "create", "records", "--where", "colour=red")
    assert (refused.code, refused.err) == (ExitCode.REFUSED, "The records have no such filter.\n")
    unwritable = cli("export", "get", records[0], "-o", "none/x.csv")
    assert (unwritable.code, "none/x.csv" in unwritable.err) == (ExitCode.REFUSED, True)
