"""Files of calculations (tasks), and exports of lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from restcalc._sync.connection import Connection
from restcalc._sync.rows import Rows
from restcalc.calls import UNCHANGED, Call, Id, Unchanged, keyed, parse, path
from restcalc.codec import Number, Value, number, query_string
from restcalc.lists import Filter, Names
from restcalc.models import (
    Export,
    ExportWithLink,
    Refunded,
    ResultsLink,
    Task,
    TaskAccepted,
    UploadGranted,
)


class Tasks(Connection):
    """The routes of tasks and exports."""

    def process_csv(
        self, content: bytes, filename: str = "operations.csv", *, idempotency_key: str | None = None
    ) -> TaskAccepted:
        """Upload a file of up to 4 MB and start its task. `upload` sends larger files."""
        files = {"file": (filename, content, "text/csv")}
        return self._call(
            TaskAccepted, Call("POST", path("process_csv"), files=files, **keyed(idempotency_key))
        )

    def create_task(
        self,
        filename: str,
        size: int,
        *,
        dry_run: bool = False,
        max_spend: Number | None = None,
        idempotency_key: str | None = None,
    ) -> UploadGranted:
        """Create a task for a file of up to 5 GB. Then upload the file with `upload_to`; `upload` does both.

        Args:
            filename: up to 255 characters.
            size: bytes of the file.
            dry_run: check and price all rows, and charge none. `start_task` charges them later.
            max_spend: end the task before it would spend more credits than this.
        """
        body = {
            "filename": filename,
            "size": size,
            "dry_run": dry_run,
            "max_spend": None if max_spend is None else number(max_spend),
        }
        return self._call(UploadGranted, Call("POST", path("tasks"), body=body, **keyed(idempotency_key)))

    def list_tasks(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> Rows[Task]:
        """List the tasks, newest first."""
        return self._list(Task, "tasks", filters, sort=sort, fields=fields, page_size=page_size)

    def get_task(self, task_id: Id) -> Task:
        """Return a task with its progress."""
        return self._get(Task, path("tasks", task_id))

    def get_task_results(self, task_id: Id) -> ResultsLink:
        """Return a link to the results of a task that has ended, valid for 15 minutes."""
        call = Call(
            "GET",
            path("tasks", task_id, "results"),
            headers={"Accept": "application/json"},
            repeatable=True,
        )
        return self._call(ResultsLink, call)

    def start_task(self, task_id: Id, *, idempotency_key: str | None = None) -> Task:
        """Charge the rows of a task that ended as `quoted`."""
        return self._call(Task, Call("POST", path("tasks", task_id, "start"), **keyed(idempotency_key)))

    def cancel_task(self, task_id: Id) -> Task:
        """Stop a task. Charged rows stay charged."""
        call = Call("POST", path("tasks", task_id, "cancel"), repeatable=True, done_status=409)
        response = self._send(call)
        # 409 after a lost response: the task has been cancelled, or has ended.
        return self.get_task(task_id) if response.status_code == 409 else parse(response, Task)

    def resume_task(self, task_id: Id, *, max_spend: Number | Unchanged | None = UNCHANGED) -> Task:
        """Continue a task that ended as `out_of_credit` or `cancelled`.

        It is not sent again after a lost response: the task may have stopped once more by then.

        Args:
            max_spend: a new limit of credits for the task. None removes the limit.
        """
        limit = number(max_spend) if isinstance(max_spend, Number) else max_spend
        return self._call(Task, Call("POST", path("tasks", task_id, "resume"), body={"max_spend": limit}))

    def refund_task(self, task_id: Id, reason: str, *, idempotency_key: str | None = None) -> Refunded:
        """Return what the rows of a task that has ended were charged. Admins only."""
        call = Call(
            "POST", path("tasks", task_id, "refund"), body={"reason": reason}, **keyed(idempotency_key)
        )
        return self._call(Refunded, call)

    def create_export(
        self,
        resource: str,
        format: str = "csv",
        *,
        filters: Mapping[str, Value | Iterable[Value]] | None = None,
        fields: Iterable[str] = (),
        idempotency_key: str | None = None,
    ) -> Export:
        """Write all rows of a list to a file in the background.

        Args:
            resource: "records" or "ledger".
            format: "csv" or "jsonl".
            filters: as for the list: `{"date__gte": datetime(2026, 11, 1, tzinfo=UTC)}`.
            fields: the only fields to export.
        """
        body = {
            "resource": resource,
            "format": format,
            "filters": query_string(filters or {}),
            "fields": list(fields),
        }
        return self._call(Export, Call("POST", path("exports"), body=body, **keyed(idempotency_key)))

    def list_exports(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> Rows[Export]:
        """List the exports, newest first."""
        return self._list(Export, "exports", filters, sort=sort, fields=fields, page_size=page_size)

    def get_export(self, id: Id) -> ExportWithLink:
        """Return an export; with a link to its file, valid for 15 minutes, if it is completed."""
        return self._get(ExportWithLink, path("exports", id))
