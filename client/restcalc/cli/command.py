"""How commands are declared: their help, their examples, and the options that all of them have."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import wraps
from typing import Annotated, Any

import typer

from restcalc.cli.help import SHARED, HelpCommand, HelpGroup
from restcalc.cli.invocation import Invocation

HELP_OPTION = {"help_option_names": ["--help", "-h"]}
GROUP_SETTINGS: dict[str, Any] = {
    "cls": HelpGroup,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": HELP_OPTION,
}
NewCallOption = Annotated[
    bool,
    typer.Option("--new-call", help="Send a new call, even if the same command was interrupted before."),
]
ONLY_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _shared(name: str, default: Any, kind: Any, option: Any) -> inspect.Parameter:
    return inspect.Parameter(name, ONLY_KEYWORD, default=default, annotation=Annotated[kind, option])


SHARED_OPTIONS = (
    _shared(
        "as_json",
        False,
        bool,
        typer.Option("--json", help="Print JSON, one object a line.", rich_help_panel=SHARED),
    ),
    _shared(
        "profile",
        None,
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            envvar="RESTCALC_PROFILE",
            help="The deployment to use. `restcalc profiles list` shows them.",
            rich_help_panel=SHARED,
        ),
    ),
    _shared(
        "url",
        None,
        str,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="RESTCALC_URL",
            help="The URL of the service, instead of that of the profile.",
            rich_help_panel=SHARED,
        ),
    ),
)


def new_app(help: str) -> typer.Typer:
    """Return a group of commands, which shows its help when it is called without one."""
    app = typer.Typer(help=help, **GROUP_SETTINGS)

    @app.callback(invoke_without_command=True)
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return app


def command(
    app: typer.Typer, name: str, *examples: str, **settings: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command. It gets the Invocation, then its arguments and options.

    Args:
        name: the name of the command.
        examples: command lines for the help.
        settings: settings of its parser.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        epilog = "\n".join(examples)
        declare = app.command(
            name, cls=HelpCommand, epilog=epilog, context_settings={**HELP_OPTION, **settings}
        )
        declare(_with_shared_options(function))
        return function

    return register


def _with_shared_options(function: Callable[..., None]) -> Callable[..., None]:
    """Return the function with the shared options, of which it gets the Invocation."""
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

    @wraps(function)
    def run(**values: Any) -> None:
        from restcalc.cli.running import translated_errors

        shared = {option.name: values.pop(option.name) for option in SHARED_OPTIONS}
        with translated_errors(), closing(Invocation(**shared)) as invocation:
            function(invocation, **values)

    parameters: Sequence[inspect.Parameter] = [*(p.replace(kind=ONLY_KEYWORD) for p in own), *SHARED_OPTIONS]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {}
    return run
