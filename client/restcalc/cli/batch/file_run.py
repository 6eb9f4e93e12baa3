"""Process one file: create its task, upload it, wait for its end, and fetch its results.

The journal has the idempotency key of the creation before it is sent, and the task's id afterwards. A run
that was killed is continued from there: the creation is replayed, an upload is repeated, and a task that runs
is followed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from restcalc import UNCHANGED, AsyncClient, Conflict, NotFound
from restcalc.cli.batch.outcome import STOPPED
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.enums import TaskStatus
from restcalc.models import Task

if TYPE_CHECKING:
    from restcalc.cli.batch.bars import Bar
    from restcalc.cli.batch.local_file import LocalFile
    from restcalc.cli.journal import Entry

UPLOAD_BEGINS_WITHIN = 14 * 60
"""Seconds: a minute less than the form of an upload is valid."""


@dataclass(frozen=True)
class Options:
    """How files are processed.

    Args:
        anew: whether to process a file again whose last task stopped.
    """

    dry_run: bool = False
    max_spend: Decimal | None = None
    anew: bool = False


class FileRun:
    """One file and its log entry."""

    def __init__(
        self, client: AsyncClient, file: LocalFile, entry: Entry, options: Options, bar: Bar
    ) -> None:
        self._client, self._file, self._entry, self._options, self._bar = client, file, entry, options, bar

    async def start(self) -> Task:
        """Bring the file to the service, and return its task."""
        task = await self._earlier_task()
        if task is None:
            return await self._upload()
        if task.status == TaskStatus.AWAITING_UPLOAD:
            if self._may_upload():
                return await self._upload()
            # Cancelled first: the upload may have arrived without its task having begun.
            task = await self._cancel(task.id)
            is_unwanted = not task.rows_done
        else:
            is_unwanted = self._options.anew and task.status in STOPPED
        # Neither a stopped quote nor one that `batch start` has charged answers a quote.
        if is_unwanted or (self._options.dry_run and (not task.dry_run or task.status in STOPPED)):
            return await self._upload_anew()
        return await self._continue(task)

    async def fetch(self, task: Task, target: Path) -> None:
        """Download the results of the task."""
        await self._client.download_results(task.id, target, progress=self._bar.downloaded)

    @property
    def _limit(self) -> str | None:
        limit = self._options.max_spend
        return None if limit is None else str(limit)

    def _may_upload(self) -> bool:
        """Return whether the creation can be replayed: its form is valid, and the same limit was sent."""
        facts = self._entry.facts
        is_valid = time.time() - float(facts["created"]) < UPLOAD_BEGINS_WITHIN
        return is_valid and facts.get("max_spend", self._limit) == self._limit

    async def _earlier_task(self) -> Task | None:
        """Return the task of an earlier run that did not finish."""
        task_id = self._entry.facts.get("task")
        if task_id is None:
            if not self._may_upload():
                self._entry.renew()  # a task that the creation made stays without a file
            return None
        try:
            return await self._client.get_task(task_id)
        except NotFound:
            self._entry.renew()
            return None

    async def _upload_anew(self) -> Task:
        self._entry.renew()
        return await self._upload()

    async def _upload(self) -> Task:
        self._entry.save(max_spend=self._limit)
        grant = await self._client.create_task(
            self._file.filename,
            self._file.path.stat().st_size,
            dry_run=self._options.dry_run,
            max_spend=self._options.max_spend,
            idempotency_key=self._entry.key,
        )
        self._entry.save(task=str(grant.id))
        self._bar.created(grant.id)
        await self._client.upload_to(grant, self._file.path, progress=self._bar.uploaded)
        self._entry.save(uploaded=True)
        return grant

    async def _cancel(self, task_id: UUID) -> Task:
        try:
            return await self._client.cancel_task(task_id)
        except Conflict:  # it has ended meanwhile
            return await self._client.get_task(task_id)

    async def _continue(self, task: Task) -> Task:
        """Follow a task that has its file, and resume it if it has stopped."""
        self._bar.created(task.id)
        limit = self._options.max_spend
        if task.status in STOPPED:
            return await self._client.resume_task(task.id, max_spend=UNCHANGED if limit is None else limit)
        if limit is not None and limit != task.max_spend:
            raise Failure(
                f"{self._file.name} is already being processed as task {task.id}, with another --max-spend. "
                f"Cancel it first with `restcalc batch cancel {task.id}`.",
                ExitCode.USAGE,
            )
        return task
