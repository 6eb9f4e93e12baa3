"""Write an export: stream the rows of a list from Postgres to S3, in constant memory.

Several workers may write it one after the other, each from the checkpoint of the previous one.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from shared import aws, database
from shared.auth.caller import Caller
from shared.database import Row
from shared.exports import LISTINGS
from shared.lists.listing import Listing
from shared.lists.query import parse
from shared.lists.read_page import split_query
from shared.lists.shape import Shape, csv_header
from shared.lists.sql import export_sql, window_end_sql
from worker.messages import Export
from worker.results import Fenced
from worker.s3_writer import S3ObjectWriter, resume_writer, s3_errors_as_domain_errors

ROWS_AT_ONCE = 10_000
"""Rows that one statement reads."""
MEDIA_TYPES = {"csv": aws.CSV, "jsonl": "application/jsonl"}
COPY_OPTIONS = {
    "csv": "FORMAT csv",
    # Each row is one JSON text, which contains no control characters, so nothing is quoted or escaped.
    "jsonl": r"FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02'",
}
_PARAMETER = re.compile(r"(?<!:):([a-z]\w*)")


def run_export(export: Export, redelivered: bool, out_of_time: Callable[[], bool]) -> bool:
    """Write an export from its checkpoint on.

    Args:
        redelivered: whether an earlier worker failed or died with this message.
        out_of_time: returns whether this worker must hand the export over. Called after each part.

    Returns:
        False if another worker must continue.

    Raises:
        ServiceUnavailable: the database or S3 can't be reached. Another worker can continue.
    """
    row = database.one("claim_export", id=export.export_id, user_id=export.user_id, redelivered=redelivered)
    if row is None:
        return True
    try:
        with s3_errors_as_domain_errors():
            return _write(export, row, out_of_time)
    except Fenced:
        return True


def _write(export: Export, row: Row, out_of_time: Callable[[], bool]) -> bool:
    listing, format = LISTINGS[row["resource"]], row["format"]
    key = aws.export_key(export.user_id, export.export_id, format)
    writer, resumed = resume_writer(key, row["upload_id"], row["parts"], MEDIA_TYPES[format])
    position: list[str] | None = json.loads(row["cursor"]) if resumed else None
    rows, checkpoint = row["rows_done"] if resumed else 0, row["rows_done"]
    shape, values = _list_query(listing, row)
    with writer:
        if position is None and format == "csv":
            writer.write(csv_header(shape))
        while True:
            _continue(export.export_id, checkpoint)
            end = _window_end(listing, shape, values, position)
            rows += _copy(listing, shape, values, format, position, end, writer)
            if end is None:
                break
            position = end
            if writer.has_full_part:
                writer.upload_part()
                _save_checkpoint(export.export_id, writer, position, rows, checkpoint)
                checkpoint = rows
                if out_of_time():
                    database.one("release_export", id=export.export_id, rows=rows)
                    return False
        writer.complete()
    if not database.one("complete_export", id=export.export_id, rows=rows, rows_before=checkpoint):
        raise Fenced
    return True


def _continue(export_id: UUID, checkpoint: int) -> None:
    """Record that this worker is alive.

    Raises: Fenced if another worker has moved the checkpoint, or if the export has failed because its user is
        inactive or deleted.
    """
    export = database.one("continue_export", id=export_id, rows_done=checkpoint)
    if export is None or export["error"] is not None:
        raise Fenced


def _list_query(listing: Listing, row: Row) -> tuple[Shape, dict[str, Any]]:
    """Return the list's query, limited to the export's owner.

    It names all fields if the export names none: selecting fields takes Postgres half the time of the list's
    JSON function.
    """
    query = parse(row["query"], listing.public)
    owner: UUID | None = row["owner"]
    caller = Caller(owner or UUID(int=0), "admin" if owner is None else "client")
    shape, values = split_query(listing, query, caller)
    return replace(shape, fields=shape.fields or tuple(listing.public)), values


def _window_end(
    listing: Listing, shape: Shape, values: Mapping[str, Any], position: list[str] | None
) -> list[str] | None:
    """Return the sort keys of the last of the next ROWS_AT_ONCE rows; None if fewer rows remain.

    Rows that a filter removes count, unless an index serves the filter. Otherwise a filter that few rows
    match would make one statement read the whole list, which may take longer than the socket's timeout.
    """
    indexed = (*listing.newest, listing.owner)
    examined = replace(shape, filters=tuple(one for one in shape.filters if one.field in indexed))
    sql = window_end_sql(listing, examined.after_cursor() if position else examined)
    parameters = {**values, **_named("position", position), "window": ROWS_AT_ONCE}
    rows = database.query(sql, parameters)
    return list(rows[0].values()) if rows else None


def _copy(
    listing: Listing,
    shape: Shape,
    values: Mapping[str, Any],
    format: str,
    start: list[str] | None,
    end: list[str] | None,
    writer: S3ObjectWriter,
) -> int:
    """Copy the rows after `start` up to and including `end` to the writer, and return their number."""
    sql = export_sql(
        listing, shape.after_cursor() if start else shape, is_csv=format == "csv", has_end=end is not None
    )
    bound = _with_literals(sql, {**values, **_named("position", start), **_named("end", end)})
    return database.copy_out(f"COPY ({bound}) TO STDOUT WITH ({COPY_OPTIONS[format]})", writer)


def _named(prefix: str, position: list[str] | None) -> dict[str, str]:
    return {f"{prefix}{i}": text for i, text in enumerate(position or ())}


def _with_literals(sql: str, values: Mapping[str, Any]) -> str:
    """Replace the parameters of a statement by literals, because COPY takes none. The SQL casts each."""
    return _PARAMETER.sub(lambda found: _literal(values[found[1]]), sql)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    # Doubling the quotes is enough with standard_conforming_strings, Postgres' default.
    return "'" + text.replace("'", "''") + "'"


def _save_checkpoint(
    export_id: UUID, writer: S3ObjectWriter, position: list[str], rows: int, rows_before: int
) -> None:
    """Move the checkpoint. Raises: Fenced if another worker has moved it."""
    saved = database.one(
        "checkpoint_export",
        id=export_id,
        cursor=json.dumps(position),
        upload_id=writer.upload_id,
        parts=writer.parts,
        rows=rows,
        rows_before=rows_before,
    )
    if saved is None:
        raise Fenced
    writer.has_checkpoint = True
