"""`make build-prod-db db=…`: migrate and seed a database, by the rules of `make deploy`."""

import os
import secrets
import sys

from deploy.environment import ROOT, read_dotenv
from deploy.validate_settings import database_weaknesses
from shared.errors import DomainError
from shared.settings import SettingsError


def main(url: str) -> int:
    """Return 0 when the database is at head and seeded; else 1, with each reason in a line of its own."""
    try:
        given = {**read_dotenv(ROOT / ".env"), **os.environ, "AWS_PGSQL_PATH": url}
    except SettingsError as error:
        return _not_built([f"  {error}"])
    settings = {"CONFIG_TYPE": "production", **{name: value for name, value in given.items() if value}}
    if found := database_weaknesses(settings):
        return _not_built(found)
    # Every process of the service needs a key, but a migration signs no token.
    os.environ.update({**settings, "JWT_SECRET_KEY": settings.get("JWT_SECRET_KEY") or secrets.token_hex(32)})
    from migrations.handler import handler  # reads the settings

    try:
        done = handler({}, None)
    except (SettingsError, DomainError, OSError) as error:
        return _not_built([f"  {error}"])
    made = ", ".join(done["created"]) or "nothing, all was there"
    print(f"The database is at {done['revision']}; made: {made}.")
    return 0


def _not_built(reasons: list[str]) -> int:
    print("\n".join(["The database was not built:", *reasons]), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
