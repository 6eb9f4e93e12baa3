"""The alarms that CloudFormation watches during a deploy."""

from typing import Any

import pytest

from deploy.alarms import AlarmsRaised, rollback_alarms

WATCH = {"ROLLBACK_MINUTES": "10"}
DEPLOYED = {
    "ServerErrorsAlarm": "stack-ServerErrorsAlarm-1",
    "WorkerErrorsAlarm": "stack-WorkerErrorsAlarm-2",
    "SlowAlarm": "stack-SlowAlarm-3",
}


class CloudWatch:
    """A stub of CloudWatch in which every alarm has the same state."""

    def __init__(self, state: str) -> None:
        self.state = state

    def describe_alarms(self, AlarmNames: list[str]) -> dict[str, Any]:
        alarms = [
            {"AlarmName": name, "AlarmArn": f"arn:{name}", "StateValue": self.state} for name in AlarmNames
        ]
        return {"MetricAlarms": alarms}


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_deploy_watches_the_alarms_of_the_stack(state: str) -> None:
    found = rollback_alarms(CloudWatch(state), DEPLOYED, WATCH)
    assert found == "arn:stack-ServerErrorsAlarm-1,arn:stack-WorkerErrorsAlarm-2"


@pytest.mark.parametrize("unset", [{}, {"ROLLBACK_MINUTES": ""}, {"ROLLBACK_MINUTES": "0"}])
def test_deploy_watches_no_alarms_unless_rollback_minutes_is_set(unset: dict[str, str]) -> None:
    assert rollback_alarms(CloudWatch("ALARM"), DEPLOYED, unset) == ""


@pytest.mark.parametrize("resources", [{}, {"Bucket": "a-bucket"}])
def test_first_deploy_watches_no_alarms(resources: dict[str, str]) -> None:
    assert rollback_alarms(CloudWatch("OK"), resources, WATCH) == ""


def test_raised_alarm_stops_the_deploy_and_its_message_names_the_override() -> None:
    with pytest.raises(AlarmsRaised, match=r"ServerErrorsAlarm-1.*ROLLBACK_MINUTES=0"):
        rollback_alarms(CloudWatch("ALARM"), DEPLOYED, WATCH)
