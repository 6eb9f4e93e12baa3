"""EventBridge's rules: invokes each function of serverless.yml that has a schedule, when it is due.

`python -m localstack.scheduler` runs until SIGTERM. As on AWS, it skips a daily run that was missed. A rate
runs first one minute after the start, so that tasks whose message was lost in a crash continue soon.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import os
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from deploy.serverless_file import Function, Service
from localstack import lifeline
from localstack.context import ACCOUNT
from localstack.execution import ExecutionEnvironment, FunctionProcesses, InvocationFailed
from localstack.stack_settings import CannotStart, Settings

FIRST_RUN = timedelta(minutes=1)
"""Delay between the start and the first run of a rate."""
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_DAILY = re.compile(r"cron\((\d+) (\d+) \* \* \? \*\)")


@dataclass(frozen=True)
class Schedule:
    """A schedule that is due every `period`, counted from `start`."""

    period: timedelta
    start: datetime

    @classmethod
    def parse(cls, expression: str, now: datetime) -> "Schedule":
        """Parse `rate(1 hour)`, or `cron(17 3 * * ? *)` for every day at 03:17 UTC.

        Raises: CannotStart for any other expression, even if EventBridge supports it.
        """
        if rate := _RATE.fullmatch(expression):
            period = timedelta(**{f"{rate[2]}s": int(rate[1])})
            return cls(period, now + FIRST_RUN - period)
        if daily := _DAILY.fullmatch(expression):
            start = now.replace(hour=int(daily[2]), minute=int(daily[1]), second=0, microsecond=0)
            return cls(timedelta(days=1), start)
        raise CannotStart(f"The offline cloud supports rate(…) and a daily cron(…), but not {expression!r}.")

    def after(self, moment: datetime) -> datetime:
        """Return the first due time after `moment`."""
        return self.start + ((moment - self.start) // self.period + 1) * self.period


class Timer:
    """Invokes one function by its schedule. Each invocation has its own process."""

    def __init__(
        self,
        function: Function,
        schedule: Schedule,
        processes: FunctionProcesses,
        stopping: threading.Event,
    ) -> None:
        self._function, self._schedule = function, schedule
        self._processes, self._stopping = processes, stopping

    def run(self) -> None:
        while True:
            due = self._schedule.after(datetime.now(UTC))
            if self._stopping.wait((due - datetime.now(UTC)).total_seconds()):
                return
            self._invoke(due)

    def _invoke(self, due: datetime) -> None:
        environment = ExecutionEnvironment(self._function, self._processes)
        try:
            result = environment.invoke(event(due), (self._function.timeout, lambda: None))
            print(f"{self._function.name} done: {result}")
        except InvocationFailed as failure:
            print(f"{self._function.name} failed: {failure}")
        finally:
            environment.kill()


def event(due: datetime) -> dict[str, Any]:
    """Return EventBridge's event for a scheduled invocation."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": os.environ.get("AWS_REGION", "us-east-1"),
        "resources": [],
        "detail": {},
    }


def main() -> None:
    processes = FunctionProcesses()  # before the first thread
    lifeline.hold()
    stopping = threading.Event()
    service = Service.load(Settings.from_environment(os.environ).service_file, os.environ)
    now = datetime.now(UTC)
    for function in service.functions.values():
        if function.schedule:
            timer = Timer(function, Schedule.parse(function.schedule, now), processes, stopping)
            threading.Thread(target=timer.run, daemon=True).start()
    lifeline.signal_ready()
    lifeline.wait_for_end()
    stopping.set()
    processes.close()


if __name__ == "__main__":
    main()
