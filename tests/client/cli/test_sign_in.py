"""login, logout, whoami and profiles."""

import errno
import json
import stat
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from restcalc import Client, NotSignedIn
from restcalc.cli import credentials
from restcalc.cli.exit_codes import ExitCode
from tests.client.conftest import Service
from tests.support.command_line.runner import CommandLine
from tests.support.http_client import PASSWORD, new_email


def key_of(user: CommandLine) -> str:
    (key,) = json.loads((user.home / "credentials.json").read_text()).values()
    return str(key)


def keys_of(user: CommandLine) -> list[str]:
    with Client(user.url, api_key="") as client:
        client.login(user.email, PASSWORD)
        names = [key.name for key in client.list_api_keys()]
        client.logout()
    return names


def test_login_stores_a_key_that_only_its_owner_can_read(cli: CommandLine) -> None:
    for name in ("config.json", "credentials.json"):
        assert stat.S_IMODE((cli.home / name).stat().st_mode) == 0o600
    with Client(cli.url, api_key=key_of(cli)) as client:
        assert client.get_current_user().email == cli.email
    assert PASSWORD not in "".join(file.read_text() for file in cli.home.iterdir())


def test_whoami_shows_profile_url_user_role_balance_and_key(cli: CommandLine) -> None:
    facts = dict(cli("whoami").rows)
    assert [facts[name] for name in ("profile", "url", "user", "role", "balance")] == [
        "default",
        cli.url,
        cli.email,
        "client",
        "20",
    ]
    assert "(default) (read, compute, batch)" in facts["key"]
    answer = json.loads(cli("whoami", "--json").out)
    assert (answer["user"]["email"], answer["api_key"]["scopes"]) == (cli.email, ["read", "compute", "batch"])


def test_logout_revokes_the_key_and_forgets_it(cli: CommandLine) -> None:
    key = key_of(cli)
    assert cli("logout").code == 0
    with Client(cli.url, api_key=key) as client, pytest.raises(NotSignedIn):
        client.get_current_user()
    assert key not in (cli.home / "credentials.json").read_text()
    result = cli("balance")
    assert (result.code, result.out) == (ExitCode.NOT_SIGNED_IN, "")
    assert (
        result.err == f"You are not signed in to {cli.url}. Run `restcalc login`, or set RESTCALC_API_KEY.\n"
    )


def test_logout_forgets_a_key_that_is_revoked_already(cli: CommandLine) -> None:
    with Client(cli.url, api_key="") as client:
        client.login(cli.email, PASSWORD)
        for key in client.list_api_keys():
            client.revoke_api_key(key.id)
    revoked = cli("balance")
    assert revoked.code == ExitCode.NOT_SIGNED_IN
    assert "Run `restcalc login`." in revoked.err
    assert cli("logout").code == 0
    assert cli("profiles", "list").rows == [["name", "current", "url", "email", "key_store"]]


def test_key_of_a_service_that_is_gone_is_forgotten_by_force(cli: CommandLine) -> None:
    config = cli.home / "config.json"
    config.write_text(config.read_text().replace(cli.url, "http://localhost:9"))
    refused = cli("logout", RESTCALC_URL="")
    assert (refused.code, "can't be reached" in refused.err) == (ExitCode.UNAVAILABLE, True)
    assert cli("logout", "--force", RESTCALC_URL="").code == 0
    assert cli("profiles", "list").rows[1:] == []


def test_second_login_replaces_the_key(cli: CommandLine) -> None:
    first = key_of(cli)
    assert cli("login", "--spend-limit", "7.5/month").code == 0
    assert key_of(cli) != first
    (name,) = keys_of(cli)
    assert name.startswith("restcalc on ")
    limit = json.loads(cli("whoami", "--json").out)["api_key"]["spend_limit"]
    assert limit == {"amount": 7.5, "per": "month"}
    assert cli("compute", "addition", 1, 2).code == 0
    assert cli("compute", "addition", 1, 2).code == ExitCode.NO_CREDIT


def test_login_as_another_user_revokes_the_key_of_the_first(cli: CommandLine) -> None:
    first = key_of(cli)
    assert cli("login", RESTCALC_EMAIL=new_email()).code == 0
    with Client(cli.url, api_key=first) as client, pytest.raises(NotSignedIn):
        client.get_current_user()


def test_key_that_cannot_be_stored_is_revoked(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    before = keys_of(cli)
    monkeypatch.setattr(credentials, "write_private", full)
    result = cli("login")
    assert (result.code, "No space left on device" in result.err) == (ExitCode.REFUSED, True)
    assert keys_of(cli) == before


def test_login_asks_for_email_and_password_in_a_terminal(service: Service, tmp_path: Path) -> None:
    email = new_email()
    user = CommandLine(service.url, tmp_path, "", {"RESTCALC_PASSWORD": ""})
    result = user("login", terminal=True, input=f"\n{email}\n{PASSWORD}\n")
    assert result.code == 0
    assert f"E-mail: E-mail: Password of {email}: " in result.err
    assert PASSWORD not in result.out + result.err
    assert "Set RESTCALC_PASSWORD: standard input is not a terminal." in user("login").err
    without_terminal = user("login", "--profile", "new")
    assert (without_terminal.code, "Set RESTCALC_EMAIL" in without_terminal.err) == (ExitCode.USAGE, True)


def test_wrong_password_stores_nothing(cli: CommandLine, tmp_path: Path) -> None:
    other = CommandLine(cli.url, tmp_path, cli.email)
    result = other("login", RESTCALC_PASSWORD="wrong-password-1!")
    assert (result.code, "password-1!" in result.err) == (ExitCode.NOT_SIGNED_IN, False)
    assert list(tmp_path.iterdir()) == []


def test_key_is_not_sent_to_another_service(cli: CommandLine) -> None:
    result = cli("balance", "--url", "http://localhost:9")
    assert (result.code, "not signed in to http://localhost:9" in result.err) == (
        ExitCode.NOT_SIGNED_IN,
        True,
    )


def test_key_of_the_environment_needs_no_login(cli: CommandLine, tmp_path: Path) -> None:
    program = CommandLine(cli.url, tmp_path, "", {"RESTCALC_API_KEY": key_of(cli)})
    assert program("balance").out == "20\n"
    assert dict(program("whoami").rows)["key"] == "from RESTCALC_API_KEY"
    assert list(tmp_path.iterdir()) == []


def test_wrong_url_and_key_are_named(cli: CommandLine) -> None:
    wrong = cli("balance", "--url", "http://localhost:x")
    assert (wrong.code, "'http://localhost:x' is not the URL of a service" in wrong.err) == (
        ExitCode.USAGE,
        True,
    )
    elsewhere = cli("login", "--url", f"{cli.url}/elsewhere")
    assert (elsewhere.code, "/elsewhere has no route to sign in. Check the URL" in elsewhere.err) == (1, True)
    broken = cli("balance", RESTCALC_API_KEY="rc_\nbroken")
    assert (broken.code, "RESTCALC_API_KEY: The API key contains a space" in broken.err) == (
        ExitCode.USAGE,
        True,
    )


def test_profiles_hold_several_deployments(cli: CommandLine, new_user: Callable[..., CommandLine]) -> None:
    other = new_user()
    assert cli("login", "--profile", "second", RESTCALC_EMAIL=other.email).code == 0
    rows = cli("profiles", "list").rows[1:]
    assert [row[:2] + row[3:4] for row in rows] == [
        ["default", "no", cli.email],
        ["second", "yes", other.email],
    ]
    assert dict(cli("whoami").rows)["user"] == other.email
    assert dict(cli("whoami", "--profile", "default").rows)["user"] == cli.email
    assert dict(cli("whoami", RESTCALC_PROFILE="default").rows)["user"] == cli.email
    assert cli("profiles", "use", "default").code == 0
    assert dict(cli("whoami", RESTCALC_URL="").rows)["user"] == cli.email
    unknown = cli("profiles", "use", "third")
    assert (unknown.code, "restcalc login --profile third" in unknown.err) == (ExitCode.REFUSED, True)


def test_widened_file_of_keys_is_narrowed_again(cli: CommandLine) -> None:
    file = cli.home / "credentials.json"
    file.chmod(0o644)
    assert cli("balance").code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


class MemoryKeyring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


def test_key_is_in_the_keyring_if_there_is_one(service: Service, tmp_path: Path) -> None:
    before, memory = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(memory)
    try:
        user = CommandLine(service.url, tmp_path, new_email())
        assert "is in the keyring." in user("login").out
        assert len(memory.passwords) == 1
        assert not (tmp_path / "credentials.json").exists()
        assert user("balance").out == "20\n"
        assert user("logout").code == 0
        assert memory.passwords == {}
    finally:
        keyring.set_keyring(before)
