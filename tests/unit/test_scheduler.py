"""Parsing of schedules, and the times at which they are due."""

from datetime import UTC, datetime, timedelta

import pytest

from deploy.environment import ROOT
from deploy.serverless_file import Service
from localstack.scheduler import Schedule
from localstack.stack_settings import CannotStart

NOW = datetime(2026, 11, 23, 12, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", NOW + timedelta(minutes=1)),
        ("rate(2 hours)", NOW + timedelta(minutes=1)),
        ("cron(17 3 * * ? *)", datetime(2026, 11, 24, 3, 17, tzinfo=UTC)),
        ("cron(0 23 * * ? *)", datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),
        ("cron(30 12 * * ? *)", datetime(2026, 11, 24, 12, 30, tzinfo=UTC)),
    ],
)
def test_rate_starts_after_a_minute_and_every_schedule_repeats_with_its_period(
    expression: str, expected: datetime
) -> None:
    schedule = Schedule.parse(expression, NOW)
    assert schedule.after(NOW) == expected
    assert schedule.after(expected) == expected + schedule.period
    assert schedule.after(expected + schedule.period * 3.5) == expected + schedule.period * 4


def test_unknown_expression_is_rejected() -> None:
    with pytest.raises(CannotStart, match=r"cron.0 12 . . MON"):
        Schedule.parse("cron(0 12 ? * MON *)", NOW)


def test_schedules_of_the_service_are_supported() -> None:
    declared = Service.load(ROOT / "serverless.yml", {}).functions.values()
    periods = {
        one.name: Schedule.parse(one.schedule, NOW).period.total_seconds() for one in declared if one.schedule
    }
    assert periods == {"expire": 3600, "restartTasks": 300, "audit": 24 * 3600, "dispatchWebhooks": 60}
