"""Write the console's copy of the password policy: `python -m deploy.password_policy`.

The console checks a new password while the reader types. A test fails if the copy is not current.
"""

import json

from deploy.environment import ROOT
from shared.schemas.field_types import PASSWORD_LENGTH, PASSWORD_RULES

FILE = ROOT / "console" / "src" / "lib" / "password_policy.json"


def text() -> str:
    """Return the file's text, formatted like the console's other files."""
    shortest, longest = PASSWORD_LENGTH
    policy = {"minLength": shortest, "maxLength": longest, "rules": PASSWORD_RULES}
    return json.dumps(policy, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
