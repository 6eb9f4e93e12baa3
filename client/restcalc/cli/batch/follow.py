"""Follow tasks that are in the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from restcalc.cli.batch.bars import Bars
from restcalc.cli.batch.outcome import Outcome, exit_with, print_outcome

if TYPE_CHECKING:
    from restcalc.cli.invocation import Invocation
    from restcalc.models import Task


def follow_and_print(run: Invocation, task_ids: Sequence[str], *, detach: bool = False) -> None:
    """Follow tasks, print how they ended, and exit with the code for it. With `detach`, only print them."""
    if detach:
        for task_id in task_ids:
            run.out.result(task_id, run.client.get_task(task_id))
        return
    outcomes = follow(run, task_ids)
    for outcome in outcomes:
        print_outcome(run.out, outcome)
    exit_with(outcomes)


def follow(run: Invocation, task_ids: Sequence[str]) -> list[Outcome]:
    """Show the progress of tasks until all have ended, and return how."""
    try:
        return asyncio.run(_follow_all(run, task_ids))
    except KeyboardInterrupt:
        run.out.note(
            f"The service continues the task. Follow it with `restcalc batch watch {' '.join(task_ids)}`."
        )
        raise


async def _follow_all(run: Invocation, task_ids: Sequence[str]) -> list[Outcome]:
    async with run.async_client() as client:
        tasks: list[Task] = [await client.get_task(task_id) for task_id in task_ids]
        with Bars(run.out.errors) as bars:
            rows = [bars.add(task.filename) for task in tasks]
            waits = [
                client.wait(task.id, on_change=bar.changed) for task, bar in zip(tasks, rows, strict=True)
            ]
            return [Outcome(task.filename, task) for task in await asyncio.gather(*waits)]
