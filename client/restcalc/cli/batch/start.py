"""batch start: charge a quoted file."""

from __future__ import annotations

from restcalc.cli.batch.arguments import DetachOption, TaskArgument
from restcalc.cli.invocation import Invocation


def start(run: Invocation, task: TaskArgument, detach: DetachOption = False) -> None:
    """Charge the rows of a quoted file, and follow it."""
    from restcalc import Conflict
    from restcalc.cli.batch.follow import follow_and_print
    from restcalc.cli.batch.refusals import RUNNING, refused
    from restcalc.enums import TaskStatus

    try:
        with run.once("start_task", task) as call:
            run.client.start_task(task, idempotency_key=call.key)
    except Conflict as refusal:
        found = run.client.get_task(task)
        if found.status not in RUNNING:  # else an earlier command has started it
            raise refused(found, refusal, expected={TaskStatus.QUOTED}) from None
    follow_and_print(run, [task], detach=detach)
