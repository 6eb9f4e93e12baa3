"""Databases with the schema of an earlier release."""

import shutil
from pathlib import Path

import pytest

import migrations.handler
from shared.database.url import PostgresUrl

ALL_MIGRATIONS = migrations.handler.MIGRATIONS


def name_of(url: str) -> str:
    """Return the name of a URL's database."""
    return PostgresUrl.parse(url).database


def migrate_to(folder: Path, patch: pytest.MonkeyPatch, *later: str) -> None:
    """Migrate without the `later` migrations, and without seeding, which needs the newest schema."""
    ignored = shutil.ignore_patterns("__pycache__", *later)
    shutil.copytree(ALL_MIGRATIONS, folder / "migrations", ignore=ignored)
    with patch.context() as before:
        before.setattr(migrations.handler, "MIGRATIONS", folder / "migrations")
        migrations.handler._migrate()
