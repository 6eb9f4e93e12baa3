"""Commands for admins: users, credit, refund, prices and audit-log."""

import json
from decimal import Decimal

import pytest

from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.ids import EXAMPLE_ID
from tests.client.conftest import Service
from tests.support.command_line.runner import CommandLine
from tests.support.http_client import PASSWORD, new_email


def test_user_is_created_shown_changed_and_deleted(root: CommandLine, service: Service) -> None:
    email = new_email()
    secret = {"RESTCALC_NEW_PASSWORD": PASSWORD}
    created = root("users", "create", email, "--balance", "7.5", **secret)
    assert created.out == f"Created {email} (client, balance 7.5).\n"
    assert dict(root("users", "show", email).rows)["balance"] == "7.5"
    assert root("users", "list", "--where", f"email={email}", "--fields", "email,role").rows[1:] == [
        [email, "client"]
    ]
    changed = root("users", "update", email, "--status", "inactive", "--balance", "9")
    assert changed.out == f"Changed status, balance of {email}.\n"
    assert json.loads(root("users", "show", email, "--json").out)["status"] == "inactive"
    assert root("users", "update", email).code == ExitCode.USAGE
    assert "Add --yes to confirm" in root("users", "delete", email).err
    assert root("users", "delete", email, terminal=True, input="n\n").code == ExitCode.REFUSED
    assert root("users", "delete", email, terminal=True, input="y\n").out == f"Deleted {email}.\n"
    assert f"No user has the e-mail {email}." in root("users", "show", email).err


def test_credit_is_granted_and_removed(root: CommandLine, cli: CommandLine) -> None:
    granted = root("credit", cli.email, "100.5", "--reason", "a test")
    assert granted.out == f"Granted 100.5 to {cli.email}. The balance is 120.5.\n"
    removed = json.loads(
        root("credit", cli.email, "-0.5", "--reason", "a test", "--json").out, parse_float=Decimal
    )
    assert removed["user_balance"] == 120
    assert cli("balance").out == "120\n"
    assert root("credit", cli.email, "much", "--reason", "x").code == ExitCode.USAGE
    assert "Missing option '--reason'" in root("credit", cli.email, "5").err


def test_grant_with_lost_answers_is_made_once(root: CommandLine, cli: CommandLine, service: Service) -> None:
    (key,) = json.loads((root.home / "credentials.json").read_text()).values()
    user = dict(root("users", "show", cli.email).rows)["id"]
    arguments = ("credit", user, "10", "--reason", "lost")
    lossy = {"RESTCALC_URL": service.unreliable_url, "RESTCALC_API_KEY": key}
    with service.gateway.breaking("responses", *[0] * 6):
        assert root(*arguments, **lossy).code == ExitCode.UNAVAILABLE
    assert root(*arguments, **lossy).out == f"Granted 10 to {user}. The balance is 30.\n"
    assert cli("balance").out == "30\n"


def test_record_is_refunded_once(root: CommandLine, cli: CommandLine) -> None:
    record = json.loads(cli("compute", "addition", 1, 2, "--json").out)["record_id"]
    refunded = root("refund", "record", record, "--reason", "a mistake")
    assert refunded.out == "Refunded 5. The user's balance is 20.\n"
    again = root("refund", "record", record, "--reason", "a mistake")
    assert (again.code, cli("balance").out) == (ExitCode.REFUSED, "20\n")
    assert [row[0] for row in cli("ledger", "--fields", "kind").rows[1:]] == ["refund", "charge", "opening"]


def test_price_is_changed_with_its_history(root: CommandLine) -> None:
    assert root("prices", "set", "division", "6.5").out == "division costs 6.5 instead of 5.\n"
    try:
        assert root("prices", "list", "--where", "type=division", "--fields", "cost").rows[1:] == [["6.5"]]
        newest = root("prices", "history", "division").rows[1]
        assert newest[1:4] == ["update", '{"cost":5}', '{"cost":6.5}']
        assert root("prices", "delete", "division", "--yes").code == 0
        assert "division has no price." in root("prices", "delete", "division", "--yes").err
    finally:
        assert root("prices", "set", "division", "5").out == "division costs 5.\n"
    log = [
        json.loads(line)
        for line in root("audit-log", "--since", "1h", "--json", "--limit", 3).out.splitlines()
    ]
    assert [entry["action"] for entry in log] == ["create", "delete", "update"]


@pytest.mark.parametrize(
    "command",
    [
        ("users", "list"),
        ("prices", "set", "addition", "1"),
        ("audit-log",),
        ("credit", "x@example.com", "5", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_client_is_refused(cli: CommandLine, command: tuple[str, ...]) -> None:
    result = cli(*command)
    assert (result.code, result.out, result.err) == (ExitCode.REFUSED, "", "Only admins may do this.\n")


def test_key_without_the_scope_is_told_how_to_get_it(root: CommandLine) -> None:
    assert root("login", "--profile", "modest").code == 0
    try:
        result = root("users", "list", "--profile", "modest")
    finally:
        assert root("logout", "--profile", "modest").code == 0
        assert root("profiles", "use", "default").code == 0
    assert (result.code, "Run `restcalc login --admin`." in result.err) == (ExitCode.REFUSED, True)


def test_invalid_input_is_named_in_words(root: CommandLine) -> None:
    created = root("users", "create", "ada", "--balance", "-5", RESTCALC_NEW_PASSWORD="x")
    assert (created.code, created.err) == (
        ExitCode.REFUSED,
        "email: Input should be an e-mail address, such as ada@example.com; "
        "password: String should have at least 8 characters; "
        "balance: Input should be greater than or equal to 0\n",
    )


@pytest.mark.parametrize(
    "command",
    ["batch status", "batch watch", "refund task", "export get", "keys revoke", "sessions end", "users show"],
)
def test_text_that_is_no_id_is_not_sent(cli: CommandLine, command: str) -> None:
    result = cli(*command.split(), "ada", *(["--reason", "x"] if "refund" in command else []))
    assert (result.code, result.out, "'ada' is " in result.err) == (ExitCode.USAGE, "", True)
    assert f"such as {EXAMPLE_ID}. See `restcalc {command} --help`." in result.err
