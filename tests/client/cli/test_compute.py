"""compute, operations and balance."""

import json
import re
from collections.abc import Callable
from decimal import Decimal

import pytest

from restcalc.cli.exit_codes import ExitCode
from tests.client.conftest import Service
from tests.support.command_line.runner import CommandLine, Result, plain


def charges(user: CommandLine) -> list[Decimal]:
    """Return the charges in the ledger, the newest first."""
    rows = user("ledger", "--json", "--where", "kind=charge").out.splitlines()
    return [json.loads(row, parse_float=Decimal)["amount"] for row in rows]


def unfinished(user: CommandLine) -> list[str]:
    folder = user.home / "calls"
    return [file.name for file in folder.iterdir()] if folder.exists() else []


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (("addition", "0.1", "0.2"), "0.3"),
        (("substraction", "5", "-3"), "8"),
        (("multiplication", "1e30", "1e15"), "1" + 45 * "0"),
        (("division", "1", "4"), "0.25"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_result_is_printed(
    new_user: Callable[..., CommandLine], arguments: tuple[str, ...], result: str
) -> None:
    user = new_user()
    computed = user("compute", *arguments)
    assert (computed.code, computed.out, computed.err) == (ExitCode.DONE, f"{result}\n", "")
    assert user("balance").out == "15\n"
    assert unfinished(user) == []


def test_terminal_also_shows_cost_and_balance(cli: CommandLine) -> None:
    result = cli("compute", "square_root", "2", terminal=True)
    assert result.out.startswith("1.41421356237")
    assert plain(result.err) == "cost 5, balance 15"


def test_json_has_the_whole_answer(cli: CommandLine) -> None:
    answer = json.loads(cli("compute", "random_string", "--json").out)
    assert (answer["amount"], answer["user_balance"], type(answer["result"])) == (5, 15, str)
    assert json.loads(cli("balance", "--json").out) == {"balance": 15}


def test_refused_call_has_a_code_a_reason_and_costs_nothing(cli: CommandLine) -> None:
    zero = cli("compute", "division", "1", "0")
    assert (zero.code, zero.out, zero.err) == (ExitCode.REFUSED, "", "Division by zero.\n")
    unknown = cli("compute", "cube", "3")
    assert unknown.code == ExitCode.REFUSED
    assert "Unknown operation 'cube'. The operations are addition," in unknown.err
    no_number = cli("compute", "addition", "1", "two")
    assert (no_number.code, no_number.err) == (
        ExitCode.USAGE,
        "Invalid value: 'two' is not a number. See `restcalc compute --help`.\n",
    )
    assert cli("balance").out == "20\n"
    assert unfinished(cli) == []


def test_missing_credit_has_its_own_code_and_leaves_no_entry(cli: CommandLine) -> None:
    for _ in range(4):
        assert cli("compute", "addition", "1", "2").code == ExitCode.DONE
    broke = cli("compute", "addition", "1", "2")
    assert broke.code == ExitCode.NO_CREDIT
    assert "The balance is 0 and this call costs 5." in broke.err
    assert unfinished(cli) == []


def test_same_call_twice_is_charged_twice(cli: CommandLine) -> None:
    assert [cli("compute", "addition", "1", "2").out for _ in range(2)] == ["3\n", "3\n"]
    assert charges(cli) == [-5, -5]


def test_unreachable_service_has_its_own_code(cli: CommandLine, service: Service) -> None:
    with service.gateway.refusing():
        # The first login was to another URL, so this profile gets a key by hand.
        (key,) = json.loads((cli.home / "credentials.json").read_text()).values()
        result = cli("balance", RESTCALC_URL=service.unreliable_url, RESTCALC_API_KEY=key)
    assert (result.code, "can't be reached" in result.err) == (ExitCode.UNAVAILABLE, True)


Unreliable = Callable[..., Result]


@pytest.fixture
def unreliable(cli: CommandLine, service: Service) -> Unreliable:
    """Return a function that runs a command over a connection that can lose all answers."""
    (key,) = json.loads((cli.home / "credentials.json").read_text()).values()
    environment = {"RESTCALC_URL": service.unreliable_url, "RESTCALC_API_KEY": key}

    def run(*command: str, loses: bool = False) -> Result:
        if not loses:
            return cli(*command, **environment)
        with service.gateway.breaking("responses", *[0] * 6):  # the first attempt and all five retries
            lost = cli(*command, **environment)
        assert lost.code == ExitCode.UNAVAILABLE
        assert "Run the same command again: it charges nothing twice." in lost.err
        return lost

    return run


def test_lost_answers_are_charged_once(cli: CommandLine, unreliable: Unreliable) -> None:
    command = ("compute", "addition", "1", "2")
    unreliable(*command, loses=True)
    assert len(unfinished(cli)) == 1
    continued = unreliable(*command)
    assert continued.out == "3\n"
    assert re.fullmatch(
        r"This answers your interrupted command of [-\d]{10} [:\d]{8}\. Nothing was done twice\. "
        r"Use --new-call to send another call\.\n",
        continued.err,
    )
    assert charges(cli) == [-5]
    assert unfinished(cli) == []
    assert (unreliable(*command).err, charges(cli)) == ("", [-5, -5])


def test_new_call_is_another_call_and_is_charged_once(cli: CommandLine, unreliable: Unreliable) -> None:
    command = ("compute", "addition", "1", "2", "--new-call")
    unreliable(*command[:-1], loses=True)
    unreliable(*command, loses=True)
    assert charges(cli) == [-5, -5]
    continued = unreliable(*command)
    assert (continued.out, "This answers your interrupted command" in continued.err) == ("3\n", True)
    assert charges(cli) == [-5, -5]
    assert unfinished(cli) == []


def test_operations_have_prices(cli: CommandLine) -> None:
    rows = cli("operations", "--sort", "type").rows
    assert rows[0] == ["type", "cost"]
    assert ["addition", "5"] in rows
    assert (
        cli("operations", "--where", "type=addition", "--json", "--fields", "type").out
        == '{"type":"addition"}\n'
    )
