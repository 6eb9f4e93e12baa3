"""batch resume: continue a file that stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from restcalc.cli.batch.arguments import DetachOption, MaxSpendOption, TaskArgument
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.invocation import Invocation


def resume(
    run: Invocation,
    task: TaskArgument,
    max_spend: MaxSpendOption = None,
    no_limit: Annotated[bool, typer.Option("--no-limit", help="Remove the task's --max-spend.")] = False,
    detach: DetachOption = False,
) -> None:
    """Continue a task that ran out of credit or was cancelled, at the same row, and follow it."""
    from restcalc import UNCHANGED, Conflict
    from restcalc.cli.batch.follow import follow_and_print
    from restcalc.cli.batch.outcome import STOPPED
    from restcalc.cli.batch.refusals import RUNNING, refused

    if no_limit and max_spend is not None:
        raise Failure("Use --max-spend or --no-limit, not both.", ExitCode.USAGE)
    limit = None if no_limit else UNCHANGED if max_spend is None else max_spend
    try:
        run.client.resume_task(task, max_spend=limit)
    except Conflict as refusal:
        found = run.client.get_task(task)
        has_limit = limit is UNCHANGED or limit == found.max_spend
        if found.status not in RUNNING or not has_limit:  # else an earlier command has resumed it
            raise refused(found, refusal, expected=STOPPED) from None
    follow_and_print(run, [task], detach=detach)
