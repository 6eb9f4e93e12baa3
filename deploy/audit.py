"""Audit the balances of a deployed stack: `STAGE=… python -m deploy.audit`.

The database is private, so the migrate function runs the audit and this script prints the result. One call
of the function is limited in time, so the script calls it until the audit is finished. The next run continues
an audit that was interrupted. The exit status is that of shared.billing.audit: 0 if balances and usage match
the ledger, 1 if one does not, 2 if the audit failed.
"""

import json
import sys

from botocore.exceptions import BotoCoreError, ClientError

from deploy.config import SERVICE, aws_session, load_environment
from deploy.release import MigrationFailed, invoke, lambda_client
from shared.billing.audit import report


def main() -> int:
    environment = load_environment()
    lambda_, function = lambda_client(aws_session(environment)), f"{SERVICE}-{environment['STAGE']}-migrate"
    try:
        while not (result := json.loads(invoke(lambda_, function, {"audit": True}))).get("finished", True):
            print(result["progress"], file=sys.stderr)
    except (MigrationFailed, ClientError, BotoCoreError) as error:
        print(f"The audit failed: {error}", file=sys.stderr)
        return 2
    if "findings" not in result:
        print("The audit failed: the deployed version has no audit. Run `make deploy`.", file=sys.stderr)
        return 2
    return report(result["findings"], result.get("usage_counted", True))


if __name__ == "__main__":
    sys.exit(main())
