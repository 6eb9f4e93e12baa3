"""The form of help pages: plain text with examples, the commands of a group below headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from typer.core import TyperCommand, TyperGroup

SHARED = "Options of every command"
WHOLE = 1_000
"""A limit of characters that no summary reaches, so that none is cut."""


class HelpCommand(TyperCommand):
    """A command whose epilog has one example a line."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], SHARED: []}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                sections[section_of(parameter)].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        examples = (self.epilog or "").splitlines()
        with formatter.section("Example" if len(examples) == 1 else "Examples"):
            for example in examples:
                formatter.write(f"  {example}\n")


def section_of(parameter: Any) -> str:
    """Return the heading of a parameter."""
    if parameter.param_type_name == "argument":
        return "Arguments"
    shared = parameter.name == "help" or getattr(parameter, "rich_help_panel", None) == SHARED
    return SHARED if shared else "Options"


class HelpGroup(TyperGroup):
    """A group of commands."""

    headings: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The names of the commands below each heading. By default all are below `Commands`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for heading, names in (self.headings or {"Commands": self.list_commands(ctx)}).items():
            with formatter.section(heading):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(WHOLE)) for name in names])
