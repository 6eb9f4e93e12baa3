"""Time exports of 100,000 and of a million records: `python -m benchmarks.export`.

Prints the time, the processor time of the worker and of Postgres, and the worker's peak memory. Every second
record belongs to a file.
"""

import json
from argparse import ArgumentParser
from uuid import UUID

from benchmarks.batch_versions import Version, measurements, stack_without_worker
from benchmarks.busy import Watch
from shared import aws, database, exports
from shared.auth.caller import Caller
from shared.ids import uuid7
from shared.schemas.field_types import ExportFormat
from shared.settings import settings

FILL = """
WITH owner AS (
    INSERT INTO users (id, email, password_hash, role, balance)
    VALUES ('{owner}', '{owner}@bench.example', 'none', 'client', 0) RETURNING id
), task AS (
    INSERT INTO tasks (id, user_id, filename, status, bytes_total)
    SELECT id, id, 'bench.csv', 'completed', 1 FROM owner RETURNING id
)
INSERT INTO records (id, user_id, operation_id, arguments, operation_response, amount, user_balance, date,
                     task_id, task_row)
SELECT uuidv7(), task.id, o.id, '[1, 2.5]', to_jsonb(n % 1000), 5, n, now() - n * interval '1 second',
       CASE WHEN n % 2 = 0 THEN task.id END, CASE WHEN n % 2 = 0 THEN n END
FROM generate_series(1, {rows}) n, operations o, task WHERE o.type = 'addition'"""

FORMATS: tuple[ExportFormat, ...] = ("csv", "jsonl")


def measure(version: Version, owner: UUID, rows: int, format: ExportFormat, watch: Watch) -> None:
    """Export all records of a user in a new worker process, and print the measurements."""
    body = json.loads(exports.create(Caller(owner, "client"), "records", format, ""))
    key = aws.export_key(owner, UUID(body["id"]), format)
    with version.worker(key) as worker:
        busy = watch.until(lambda: worker.poll() is not None)
        run = measurements(worker)
    export = database.only("export", id=UUID(body["id"]), owner=owner)
    assert export["status"] == "completed", export
    assert json.loads(export["body"])["rows_done"] == rows
    size = aws.s3().head_object(Bucket=settings().bucket, Key=key)["ContentLength"]
    print(
        f"{rows:>9,} rows, {format}: {size / 1e6:.0f} MB in {run['billing']:.1f} s; processor time"
        f" {run['cpu']:.1f} s of the worker, {busy.parts['Postgres'] * busy.seconds:.1f} s of Postgres;"
        f" peak memory {run['rss_mb']:.1f} MiB",
        flush=True,
    )


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    options = parser.parse_args()
    with stack_without_worker() as (_, version):
        watch = Watch(version.database)
        for rows in options.rows:
            owner = uuid7()
            version.database.run(FILL.format(owner=owner, rows=rows))
            version.database.run("VACUUM ANALYZE")
            for format in FORMATS:
                measure(version, owner, rows, format, watch)


if __name__ == "__main__":
    main()
