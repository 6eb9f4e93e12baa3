"""The alarms that roll a deploy back (resources/rollback.cjs)."""

from collections.abc import Mapping
from typing import Any

WATCHED = ("ServerErrorsAlarm", "WorkerErrorsAlarm")
"""Logical ids of the alarms. Cold starts after every deploy would raise the p99 alarm, so it is left out."""


class AlarmsRaised(Exception):
    """An alarm is in ALARM already, so CloudFormation would roll the deploy back at once."""


def rollback_alarms(cloudwatch: Any, resources: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return the ARNs of the alarms to watch, separated by commas.

    Return an empty string without `ROLLBACK_MINUTES`, and at the first deploy: the stack has no alarms yet,
    and CloudFormation fails an update whose alarm does not exist.

    Args:
        resources: the physical ids of the stack's resources, empty before the first deploy.

    Raises: AlarmsRaised.
    """
    names = [resources[logical] for logical in WATCHED if logical in resources]
    if not names or not int(environment.get("ROLLBACK_MINUTES") or 0):
        return ""
    found = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
    if raised := [alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM"]:
        raise AlarmsRaised(
            f"{', '.join(raised)} is in ALARM, so CloudFormation would roll this deploy back at once."
            " If this deploy fixes the cause, run it with ROLLBACK_MINUTES=0."
        )
    return ",".join(alarm["AlarmArn"] for alarm in found)
