"""POST /api/v1/process_csv: upload a small file and start its task."""

import json
from hashlib import sha256
from uuid import UUID

from aws_lambda_powertools.event_handler import Response

from shared import aws, database, tasks
from shared.database import Statements, UnitOfWork
from shared.errors import PayloadTooLarge, ServiceUnavailable
from shared.http.api import LARGEST_FILE, MULTIPART, Access, Api
from shared.http.forms import parse_upload
from shared.http.responses import documented, location, ok
from shared.idempotency import Request, run_once, scoped

app = Api(access=Access.SIGNED_IN, scope="batch", media_type=MULTIPART, idempotent=True)


@app.post(
    "/api/v1/process_csv",
    tags=["tasks"],
    summary="Upload a CSV file of up to 4 MB and start its task.",
    description=(
        "The file has a header line and the columns `operation,arguments`. Each row costs the price of "
        "its operation; invalid rows cost nothing. For larger files (413) use POST /api/v1/tasks. Too many "
        "uploads at once return 429."
    ),
    operation_id="processCsv",
    responses=documented(
        "TaskAccepted",
        429,
        status=202,
        headers=("Location", "Idempotent-Replayed"),
        description="The task, which is queued.",
    ),
    status_code=202,
)
def process_csv() -> Response[str]:
    # Not a parameter of type File: Powertools' own parser cuts a file at text that resembles the boundary.
    filename, content = parse_upload(app.content_type, app.body)
    if len(content) > LARGEST_FILE:
        raise PayloadTooLarge(
            f"The file is larger than {LARGEST_FILE} bytes. Upload it with POST /api/v1/tasks."
        )
    request = app.idempotent_request({"filename": filename, "sha256": sha256(content).hexdigest()})
    response = run_once(request, lambda statements: _create_task(filename, len(content), statements))
    task_id = UUID(json.loads(response.body)["id"])
    if not response.replayed or _lacks_file(task_id):
        _store(request, task_id, content)
    headers = {"Location": location(response.body, "/api/v1/tasks"), **response.headers}
    return ok(response.body, status=202, headers=headers)


def _create_task(filename: str, size: int, statements: Statements) -> str:
    return tasks.create(app.caller, tasks.plain_name(filename), size, "queued", statements=statements)[1]


def _lacks_file(task_id: UUID) -> bool:
    """Whether no worker has seen the file: the first request may have died before it stored the file."""
    task = database.one("peek_task", id=task_id, user_id=app.caller.id)
    return task is not None and task["status"] == "queued" and not task["has_file"]


def _store(request: Request, task_id: UUID, content: bytes) -> None:
    """Store the file in S3. If that fails, fail the task, so that a retry creates another one.

    Raises:
        ServiceUnavailable: S3 can't be reached, and no worker has found the file.
    """
    try:
        aws.store(aws.upload_key(app.caller.id, task_id), content)
    except ServiceUnavailable:
        with UnitOfWork() as uow:
            failed = uow.one("fail_task_without_file", id=task_id, error="The file could not be stored.")
            if failed and request.key is not None:
                key = scoped(request.route, request.key)
                uow.run("forget_response", user_id=request.user_id, key=key)
            uow.commit()
        if failed:
            raise
