"""The pages of docs/reference list every table, setting, Make target, metric and alarm."""

import re
from dataclasses import fields

from deploy.environment import ROOT
from docs import command_line, settings, tables
from localstack.stack_settings import Settings as LocalSettings
from shared.settings import Settings

REFERENCE = ROOT / "docs" / "reference"
METRIC = re.compile(r"\b([A-Z]\w+)=")


def page(name: str) -> str:
    return (REFERENCE / name).read_text("utf-8")


def named(text: str) -> set[str]:
    """Return the texts between backquotes."""
    return set(re.findall(r"`([^`\n]+)`", text))


def first_column(text: str) -> set[str]:
    """Return the names in the first column of a page's tables."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in rows for name in named(cell)}


def test_command_line_page_is_current() -> None:
    current = command_line.page()
    assert command_line.PAGE.read_text("utf-8") == current, "run: python -m docs.command_line"


def test_command_line_page_has_every_environment_variable() -> None:
    sources = (ROOT / "client" / "restcalc").rglob("*.py")
    read = {name for source in sources for name in re.findall(r"RESTCALC_[A-Z_]+", source.read_text("utf-8"))}
    assert read == {name for name in command_line.ENVIRONMENT if name != "NO_COLOR"}


def test_tables_page_is_current() -> None:
    assert tables.PAGE.read_text("utf-8") == tables.page(), "run: python -m docs.tables"


def test_settings_page_is_current() -> None:
    assert settings.PAGE.read_text("utf-8") == settings.page(), "run: python -m docs.settings"


def test_settings_page_lists_every_setting() -> None:
    local = {field.metadata["variable"] for field in fields(LocalSettings) if field.metadata}
    service = {name.upper() for name in Settings.model_fields}
    example = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert local | service | example <= named(page("settings.md"))


def test_make_targets_page_lists_exactly_the_targets() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE)) - {"help"}
    assert first_column(page("make-targets.md")) == targets


def test_alarm_pages_list_exactly_the_alarms() -> None:
    templates = [*(ROOT / "resources").glob("*.yml"), *(ROOT / "resources" / "database").glob("*.yml")]
    alarms = {
        name
        for template in templates
        for name in re.findall(r"^ +(\w+Alarm):", template.read_text("utf-8"), re.MULTILINE)
    }
    assert len(alarms) > 10
    assert {name for name in first_column(page("metrics-and-alarms.md")) if name.endswith("Alarm")} == alarms
    how_to = (ROOT / "docs" / "how-to" / "answer-an-alarm.md").read_text("utf-8")
    assert first_column(how_to) == alarms


def test_metrics_page_lists_exactly_the_metrics() -> None:
    folders = ("shared", "webhooks", "worker")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    emitted = {
        metric
        for source in sources
        for call in re.findall(r"metrics\.emit\((.*)\)", source.read_text("utf-8"))
        for metric in METRIC.findall(call)
    }
    assert len(emitted) > 5
    metrics = first_column(page("metrics-and-alarms.md"))
    assert {name for name in metrics if not name.endswith("Alarm")} == emitted
