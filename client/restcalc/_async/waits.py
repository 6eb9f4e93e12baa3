"""Waiting for tasks and exports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from restcalc._async.runtime import sleep
from restcalc._async.tasks import AsyncTasks
from restcalc.calls import Id
from restcalc.errors import NotFound, RestcalcError
from restcalc.models import ExportWithLink, Task
from restcalc.waiting import Intervals

T = TypeVar("T", Task, ExportWithLink)

WRITTEN_WITHIN = timedelta(hours=1)
"""Results that are missing for longer after the end of their task have expired."""


class AsyncWaits(AsyncTasks):
    """Waits for what the service does in the background."""

    async def wait(
        self, task_id: Id, *, timeout: float | None = None, on_change: Callable[[Task], object] | None = None
    ) -> Task:
        """Wait until a task has ended and its results are written, and return it.

        Args:
            timeout: seconds. By default without end.
            on_change: called with the task whenever it has changed.

        Raises:
            WaitTimeout: the task has not ended within the timeout. It continues.
        """

        async def ended(task: Task) -> bool:
            if task.finished_at is None:
                return False
            return task.results is not None or await self._expired(task_id, task.finished_at)

        return await self._poll(partial(self.get_task, task_id), ended, timeout, on_change)

    async def wait_export(
        self,
        id: Id,
        *,
        timeout: float | None = None,
        on_change: Callable[[ExportWithLink], object] | None = None,
    ) -> ExportWithLink:
        """Wait until an export is completed or has failed, and return it. Takes the arguments of `wait`."""

        async def ended(export: ExportWithLink) -> bool:
            return export.finished_at is not None

        return await self._poll(partial(self.get_export, id), ended, timeout, on_change)

    async def _poll(
        self,
        fetch: Callable[[], Awaitable[T]],
        ended: Callable[[T], Awaitable[bool]],
        timeout: float | None,
        on_change: Callable[[T], object] | None,
    ) -> T:
        """Return the task or export once it has ended."""
        intervals, seen = Intervals(timeout), None
        while True:
            try:
                state = await fetch()
                if on_change and state != seen:
                    on_change(state)
                seen = state
                if await ended(state):
                    return state
            except RestcalcError as error:
                await sleep(intervals.after_failure(error))
            else:
                kind = "task" if isinstance(state, Task) else "export"
                await sleep(intervals.after(f"The {kind} {state.id} is {state.status}"))

    async def _expired(self, task_id: Id, finished_at: datetime) -> bool:
        """Return whether a task that has ended has no results any more."""
        if datetime.now(UTC) - finished_at < WRITTEN_WITHIN:
            return False
        try:
            await self.get_task_results(task_id)
        except NotFound:
            return True
        return False
