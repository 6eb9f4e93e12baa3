"""Process several files at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from restcalc import RestcalcError
from restcalc.cli.batch.bars import Bar, Bars
from restcalc.cli.batch.file_run import FileRun, Options
from restcalc.cli.batch.outcome import Outcome
from restcalc.cli.failures import Failure, failure_of, file_failure
from restcalc.cli.journal import Journal

if TYPE_CHECKING:
    from restcalc import AsyncClient
    from restcalc.cli.batch.local_file import LocalFile
    from restcalc.cli.invocation import Invocation
    from restcalc.cli.journal import Entry

UPLOADS_LIFETIME = timedelta(days=30).total_seconds()
"""How long the service keeps an uploaded file, with which a task can be resumed."""
AT_ONCE = 4
"""Files that are uploaded and followed at the same time."""


class FilesRun:
    """The files of one command.

    Args:
        targets: where the results of each file go. None to leave them in the service.
        detach: whether to return once the files are uploaded.
    """

    def __init__(
        self,
        run: Invocation,
        options: Options,
        targets: Sequence[Path | None],
        *,
        detach: bool = False,
    ) -> None:
        self._run, self._options, self._targets, self._detach = run, options, targets, detach
        self._journal = Journal(run.home.state / "files", UPLOADS_LIFETIME)
        self._limit = asyncio.Semaphore(AT_ONCE)

    @contextmanager
    def process(self, files: Sequence[LocalFile]) -> Iterator[list[Outcome]]:
        """Yield how the files ended. After the block, which prints it, the journal forgets the done ones."""
        entries = self._entries(files)
        try:
            outcomes = asyncio.run(self._process_all(files, entries))
        except BaseException as error:
            for file, entry in zip(files, entries, strict=True):
                entry.keep()
                if isinstance(error, KeyboardInterrupt):
                    self._run.out.note(_how_to_go_on(file.name, entry))
            raise
        try:
            yield outcomes
        except BaseException:
            for entry in entries:
                entry.keep()
            raise
        for outcome, entry in zip(outcomes, entries, strict=True):
            entry.finish() if outcome.is_final or (self._detach and outcome.task) else entry.keep()

    def _entries(self, files: Sequence[LocalFile]) -> list[Entry]:
        entries: list[Entry] = []
        try:
            for file in files:
                entries.append(self._entry(file))
        except BaseException:
            for entry in entries:
                entry.keep()
            raise
        return entries

    def _entry(self, file: LocalFile) -> Entry:
        identity = (self._run.account, "quote" if self._options.dry_run else "run", *file.identity)
        if entry := self._journal.begin_alone(*identity):
            return entry
        raise Failure(f"Another `restcalc` is processing {file.name}. Wait until it has ended.")

    async def _process_all(self, files: Sequence[LocalFile], entries: Sequence[Entry]) -> list[Outcome]:
        console = self._run.out.errors
        async with self._run.async_client() as client:
            with Bars(console) as bars:
                rows = [bars.add(file.name) for file in files]
                return await asyncio.gather(
                    *(
                        self._process(client, *one)
                        for one in zip(files, entries, self._targets, rows, strict=True)
                    )
                )

    async def _process(
        self, client: AsyncClient, file: LocalFile, entry: Entry, target: Path | None, bar: Bar
    ) -> Outcome:
        """Process one file. An error of one file does not stop the others."""
        try:
            async with self._limit:
                run = FileRun(client, file, entry, self._options, bar)
                task = await run.start()
                if self._detach:
                    return Outcome(file.name, task)
                task = await client.wait(task.id, on_change=bar.changed)
                if target is None or not task.results:
                    return Outcome(file.name, task)
                await run.fetch(task, target)
                bar.changed(task)
                return Outcome(file.name, task, target)
        except RestcalcError as error:
            return Outcome(file.name, failure=failure_of(error))
        except Failure as failure:
            return Outcome(file.name, failure=failure)
        except OSError as error:
            return Outcome(file.name, failure=file_failure(error))


def _how_to_go_on(name: str, entry: Entry) -> str:
    task = entry.facts.get("task")
    if not entry.facts.get("uploaded"):
        return f"The upload of {name} was interrupted. Run the same command again: no row is charged twice."
    return (
        f"The service continues {name}. Run the same command again to follow it.\n"
        f"  Only follow it: restcalc batch watch {task}\n  Stop it: restcalc batch cancel {task}"
    )
