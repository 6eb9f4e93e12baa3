"""Check the settings as `make deploy` does, then migrate and seed a database: `make build-prod-db db=…`."""

import os
import secrets
import sys

from deploy.environment import ROOT, read_dotenv
from deploy.validate_settings import database_setting_errors
from shared.errors import DomainError, SettingsError


def main(url: str) -> int:
    """Return 0 after the migration, or print one line for each reason and return 1."""
    try:
        environment = {**read_dotenv(ROOT / ".env"), **os.environ, "AWS_PGSQL_PATH": url}
    except SettingsError as error:
        return _print_failure([f"  {error}"])
    settings = {"CONFIG_TYPE": "production", **{name: value for name, value in environment.items() if value}}
    if errors := database_setting_errors(settings):
        return _print_failure(errors)
    # The settings require a key, but a migration signs no token, so a random one is enough.
    os.environ.update({**settings, "JWT_SECRET_KEY": settings.get("JWT_SECRET_KEY") or secrets.token_hex(32)})
    from migrations.handler import handler  # reads the settings

    try:
        result = handler({}, None)
    except (SettingsError, DomainError, OSError) as error:
        return _print_failure([f"  {error}"])
    created = ", ".join(result["created"]) or "nothing, all rows exist"
    print(f"The database is at revision {result['revision']}. Created: {created}.")
    return 0


def _print_failure(reasons: list[str]) -> int:
    print("\n".join(["The database was not built:", *reasons]), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
