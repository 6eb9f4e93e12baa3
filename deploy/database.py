"""`make build-prod-db db=…`: migrate and seed a database, by production's rules unless told otherwise."""

import os
import sys

from localstack.settings import ROOT, read_dotenv
from shared.errors import DomainError
from shared.settings import SettingsError


def main(url: str) -> int:
    """0 when the database is at head and seeded; else 1, with the reason in one line."""
    told = {"CONFIG_TYPE": "production", **read_dotenv(ROOT / ".env"), **os.environ, "AWS_PGSQL_PATH": url}
    os.environ.update(told)
    from migrations.handler import handler  # reads the settings

    try:
        done = handler({}, None)
    except (SettingsError, DomainError, OSError) as error:
        print(f"The database was not built: {error}", file=sys.stderr)
        return 1
    made = ", ".join(done["created"]) or "nothing, all was there"
    print(f"The database is at {done['revision']}; made: {made}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
