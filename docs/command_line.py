"""Write docs/reference/command-line.md from the commands' declarations: `python -m docs.command_line`."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from deploy.environment import ROOT
from restcalc.cli.app import Root, app
from restcalc.cli.exit_codes import MEANINGS
from restcalc.cli.help import SHARED, HelpGroup, section_of

PAGE = ROOT / "docs" / "reference" / "command-line.md"

HEAD = """\
# The command line

For users of `restcalc` and authors of scripts. `python -m docs.command_line` generates this page from
`client/restcalc/cli/`; a test fails if it is not current. [How to use the command
line](../how-to/use-the-command-line.md) shows how to install and use it.

Results go to standard output, and everything else to standard error: errors in one line, notes, and progress
bars. In a terminal, lists are tables. In a pipe they are columns separated by tabs with full times in UTC;
with `--json`, each row is an object in one line. Colours and bars appear only in a terminal, colours not if
`NO_COLOR` is set. Questions are asked only in a terminal. A closed pipe is no error.
"""

ENVIRONMENT = {
    "RESTCALC_PROFILE": "The profile to use, like `--profile`.",
    "RESTCALC_URL": "The URL of the service, like `--url`. A profile's key is sent only to its URL.",
    "RESTCALC_API_KEY": "An API key, instead of that of the profile. With it, no `restcalc login` is needed.",
    "RESTCALC_EMAIL": "The e-mail for `login` and for commands that ask for your password.",
    "RESTCALC_PASSWORD": "The password for the same commands.",
    "RESTCALC_NEW_PASSWORD": "The new password for `password`, `users create` and `users update --password`.",
    "RESTCALC_WEBHOOK_SECRET": "The secret of the webhook whose requests `webhooks listen` receives.",
    "RESTCALC_HOME": "A folder for all files below, instead of the platform's folders.",
    "NO_COLOR": "Set it to any text for output without colours.",
}

FILES = {
    "config.json": (
        "Profiles: URL, e-mail and the id of the API key. In `~/.config/restcalc` on Linux, "
        "`~/Library/Application Support/restcalc` on macOS, `%LOCALAPPDATA%\\restcalc` on Windows."
    ),
    "credentials.json": (
        "API keys, beside `config.json`, readable only by you. Not used if `restcalc[keyring]` is installed "
        "and the system has a keyring."
    ),
    "config.json.lock": "Empty. A command locks it while it changes `config.json`.",
    "credentials.json.lock": "Empty. A command locks it while it changes `credentials.json`.",
    "calls/": (
        "Idempotency keys of calls whose answer was not printed yet, for 71 hours. In "
        "`~/.local/state/restcalc` on Linux, else beside `config.json`."
    ),
    "files/": "Tasks of files that `batch` has not finished, for 30 days, beside `calls/`.",
}

LIST_OPTIONS = {"where", "since", "until", "search", "sort", "limit", "all_rows", "fields", "include_deleted"}
ROOT_COMMAND: Any = typer.main.get_command(app)
CONTEXT = ROOT_COMMAND.context_class(ROOT_COMMAND, info_name="restcalc")


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, *_overview(), *_shared_options()]
    parts += _table("Exit codes", "code", {str(code.value): text for code, text in MEANINGS.items()})
    parts += _table("Environment variables", "variable", ENVIRONMENT)
    parts += _table("Files", "file", FILES)
    for names in Root.headings.values():
        for name in names:
            parts += _sections(ROOT_COMMAND.commands[name], f"restcalc {name}", "##")
    return "\n".join(parts)


def _overview() -> Iterator[str]:
    yield "## Commands\n"
    for heading, names in Root.headings.items():
        links = ", ".join(f"[`{name}`](#restcalc-{name})" for name in names)
        yield f"- {heading}: {links}"
    yield "\n`restcalc --install-completion` lets your shell complete commands, options and operations.\n"


def _shared_options() -> Iterator[str]:
    commands = ROOT_COMMAND.commands
    shared = [option for option in commands["balance"].get_params(CONTEXT) if section_of(option) == SHARED]
    yield f"## {SHARED}\n\n{_parameters(shared)}"
    of_lists = [option for option in commands["records"].params if option.name in LIST_OPTIONS]
    yield f"## Options of lists\n\nThe usage of a list names those that it has.\n\n{_parameters(of_lists)}"


def _table(title: str, column: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield f"## {title}\n\n| {column} | meaning |\n| --- | --- |"
    yield "\n".join(f"| `{name}` | {text} |" for name, text in rows.items()) + "\n"


def _sections(command: Any, path: str, heading: str) -> Iterator[str]:
    """Yield the section of a command; for a group, also those of its commands."""
    yield f"{heading} {path}\n\n{inspect.cleandoc(command.help)}\n"
    if isinstance(command, HelpGroup):
        for name, below in command.commands.items():
            yield from _sections(below, f"{path} {name}", "###")
        return
    own = [parameter for parameter in command.params if section_of(parameter) != SHARED]
    usage = command.collect_usage_pieces(CONTEXT)
    if {"where", "limit"} <= {parameter.name for parameter in command.params}:
        usage[0] = " ".join(f"[{_long_name(option)}]" for option in own if option.name in LIST_OPTIONS)
        own = [parameter for parameter in own if parameter.name not in LIST_OPTIONS]
    yield f"```text\n{' '.join([path, *usage])}\n```\n"
    if own:
        yield _parameters(own)
    yield f"```sh\n{command.epilog}\n```\n"


def _parameters(parameters: list[Any]) -> str:
    """Return a table of arguments and options."""
    lines = ["| option | meaning |", "| --- | --- |"]
    for parameter in parameters:
        name, meaning = (
            " ".join(text.split()).replace("|", "\\|") for text in parameter.get_help_record(CONTEXT)
        )
        lines.append(f"| `{name}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _long_name(option: Any) -> str:
    """Return an option with its value, without its short name."""
    return str(option.get_help_record(CONTEXT)[0]).rpartition(", ")[2]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
