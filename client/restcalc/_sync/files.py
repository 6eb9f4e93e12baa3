"""Uploads and downloads, built on the routes of tasks and exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from restcalc import retries
from restcalc._sync.runtime import in_thread, sleep
from restcalc._sync.waits import Waits
from restcalc.calls import Id, new_key
from restcalc.codec import Number
from restcalc.downloads import Part
from restcalc.errors import RestcalcError, TransferFailed
from restcalc.files import FilePath, Progress, Source
from restcalc.models import Task, UploadGranted
from restcalc.problems import incomplete, no_export_file, no_file, transfer_failed, unreachable

if TYPE_CHECKING:
    import httpx

TRANSFER_SECONDS = 300.0
"""The longest pause while S3 receives or sends a file."""


class Files(Waits):
    """Moves files to and from the service."""

    def upload(
        self,
        file: FilePath | BinaryIO,
        *,
        filename: str | None = None,
        dry_run: bool = False,
        max_spend: Number | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
    ) -> Task:
        """Create a task, upload its file, and return the task. `wait` returns it when it has ended.

        Args:
            file: a path, or a file opened in binary mode. A pipe is copied to a temporary file first.
            filename: the name to show. By default that of the file.
            dry_run: check and price all rows, and charge none. `start_task` charges them later.
            max_spend: end the task before it would spend more credits than this.
            progress: called with the bytes sent and the size: `progress(done, total)`.
            idempotency_key: within 15 minutes, a second call with the same key, name and size continues the
                task of the first one.
        """
        key = idempotency_key or new_key()
        with in_thread(Source.open, file, filename) as source:
            grant = self.create_task(
                source.name, source.size, dry_run=dry_run, max_spend=max_spend, idempotency_key=key
            )
            try:
                self._upload(grant, source, progress)
            except TransferFailed:  # the key would return the rejected form again
                raise
            except RestcalcError as error:
                error.uncertain, error.idempotency_key = True, key
                raise
        return grant

    def upload_to(
        self, grant: UploadGranted, file: FilePath | BinaryIO, *, progress: Progress | None = None
    ) -> None:
        """Upload the file of a task that `create_task` has created up to 15 minutes ago.

        An interrupted upload may be repeated. Each row is still charged only once.
        """
        with in_thread(Source.open, file, grant.filename) as source:
            self._upload(grant, source, progress)

    def download_results(self, task_id: Id, path: FilePath, *, progress: Progress | None = None) -> Path:
        """Download the results of a task that has ended. An interrupted download continues where it stopped.

        Args:
            path: the file to write. It appears once it is complete.
            progress: called with the bytes received and the size: `progress(done, total)`.
        """

        def link() -> str:
            return (self.get_task_results(task_id)).url

        return self._download(link, path, progress)

    def download_export(self, id: Id, path: FilePath, *, progress: Progress | None = None) -> Path:
        """Download the file of a completed export. Takes the arguments of `download_results`."""

        def link() -> str:
            export = self.get_export(id)
            if export.url is None:
                raise no_export_file(export)
            return export.url

        return self._download(link, path, progress)

    def _upload(self, grant: UploadGranted, source: Source, progress: Progress | None) -> None:
        import httpx

        source.progress = progress
        timeout = httpx.Timeout(self._timeout, read=TRANSFER_SECONDS, write=TRANSFER_SECONDS)

        def send() -> None:
            files = {"file": (source.name, cast(IO[bytes], source), "text/csv")}
            try:
                response = self._http(grant.url).post(
                    grant.url, data=grant.fields, files=files, timeout=timeout
                )
            except httpx.RequestError as error:
                raise unreachable(grant.url, error, changes=False) from error
            if not response.is_success:
                raise transfer_failed(response, "upload")

        self._transfer(send)

    def _download(self, link: Callable[[], str], path: FilePath, progress: Progress | None) -> Path:
        import httpx

        part = Part(path)
        timeout = httpx.Timeout(self._timeout, read=TRANSFER_SECONDS)

        def receive() -> None:
            url = link()  # a new one for each attempt, because it expires
            try:
                # If the part has other content, the second request is for the whole file.
                for _ in range(2):
                    with self._http(url).stream(
                        "GET", url, headers=part.headers(), timeout=timeout
                    ) as response:
                        if response.is_error and response.status_code != 416:
                            response.read()
                            raise transfer_failed(response, "download")
                        if stream := part.begin(response.status_code, response.headers):
                            return self._write(response, stream, part.total, progress)
                raise no_file(response)
            except httpx.RequestError as error:
                raise unreachable(url, error, changes=False) from error

        self._transfer(receive, part.size)
        if not part.is_complete():
            raise incomplete(part.target.name)
        return part.finish()

    def _write(
        self, response: httpx.Response, stream: IO[bytes], total: int, progress: Progress | None
    ) -> None:
        with stream:
            for block in response.iter_raw():
                stream.write(block)
                if progress:
                    progress(stream.tell(), total)

    def _transfer(self, once: Callable[[], None], received: Callable[[], int] = int) -> None:
        """Send or receive a file, and again if the connection breaks.

        Args:
            received: returns the bytes that a failure keeps. Attempts that received some do not count.
        """
        failures, before = 0, received()
        while True:
            try:
                return once()
            except RestcalcError as error:
                if received() > before:
                    failures, before = 0, received()
                pause = retries.pause(error, failures, repeatable=True)
                failures += 1
                if pause is None or failures > self._retries:
                    raise
            sleep(pause)
