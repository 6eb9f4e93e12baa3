"""Audits a deployed stack's money: `STAGE=… python -m deploy.audit`.

Nobody else reaches the stack's private database, so its migrate function looks, and this tells. The exit
status is shared.billing.audit's: 0 all is well, 1 somebody is off, 2 unknown.
"""

import json
import sys

from botocore.exceptions import BotoCoreError, ClientError

from deploy.config import SERVICE, place, session_of
from deploy.release import MigrationFailed, invoke, lambda_of
from shared.billing.audit import report


def main() -> int:
    environment = place()
    lambda_, function = lambda_of(session_of(environment)), f"{SERVICE}-{environment['STAGE']}-migrate"
    try:
        said = json.loads(invoke(lambda_, function, {"audit": True}))
    except (MigrationFailed, ClientError, BotoCoreError) as error:
        print(f"The audit could not be made: {error}", file=sys.stderr)
        return 2
    if "off" not in said:
        print("The audit could not be made: what is deployed is too old for it.", file=sys.stderr)
        return 2
    return report(said["off"])


if __name__ == "__main__":
    sys.exit(main())
