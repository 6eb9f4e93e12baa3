"""What a user can do instead when the service refuses to start or resume a task."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from restcalc.cli.failures import Failure
from restcalc.enums import TaskStatus

if TYPE_CHECKING:
    from restcalc import Conflict
    from restcalc.models import Task

RUNNING = {TaskStatus.QUEUED, TaskStatus.PROCESSING}
INSTEAD = {
    TaskStatus.AWAITING_UPLOAD: "Upload its file again with `restcalc batch run`.",
    TaskStatus.QUEUED: "Follow it with `restcalc batch watch {id}`.",
    TaskStatus.PROCESSING: "Follow it with `restcalc batch watch {id}`.",
    TaskStatus.COMPLETED: "Download its results with `restcalc batch results {id}`.",
    TaskStatus.OUT_OF_CREDIT: "Continue it with `restcalc batch resume {id}`.",
    TaskStatus.FAILED: "`restcalc batch status {id}` shows why. Correct the file, and run it again.",
    TaskStatus.CANCELLED: "Continue it with `restcalc batch resume {id}`.",
    TaskStatus.QUOTED: "Charge its rows with `restcalc batch start {id}`.",
}
"""The next step for a task in each status."""


def refused(task: Task, refusal: Conflict, expected: Container[TaskStatus]) -> Failure:
    """Return the failure for a refused command.

    Args:
        expected: the statuses in which the service accepts the command. For a task with one of them, the
            refusal has another reason, such as a refund, and its text contains the next step.
    """
    step = "" if task.status in expected else INSTEAD.get(task.status, "").format(id=task.id)
    return Failure(f"{refusal.detail} {step}".strip())
