"""Changes to private parts of pg8000 that save round trips and CPU time.

No upstream issue is known for any of them. `tests/unit/test_pg8000_patches.py` fails when pg8000 changes the
code that is patched here. Then compare both versions, adapt the patches, and update the hashes in the test.
"""

import struct
from functools import lru_cache
from typing import Any

import pg8000.native
from pg8000 import core

HEADER = struct.Struct("!ci")
"""The code of a message, and its size in bytes."""


def apply() -> None:
    """Patch the driver.

    - pg8000 sends a Flush after each message, and so waits up to three times for the response to one
      statement. The Sync at the end makes the server send everything at once (PostgreSQL manual, "Extended
      Query"), so Flush is replaced by nothing.
    - pg8000 scans the text of a statement for parameters character by character at each run. For the
      statement of a list this takes longer than Postgres takes for the page, so the result is cached.
    """
    core.FLUSH_MSG = b""
    pg8000.native.to_statement = lru_cache(maxsize=256)(pg8000.native.to_statement)


class Connection(pg8000.native.Connection):
    """A connection that runs an unprepared statement in one round trip, where pg8000 takes three, and that
    receives rows, and those of `COPY … TO STDOUT`, in less processor time."""

    def execute_unnamed(self, statement: str, vals: Any = (), oids: Any = (), stream: Any = None) -> Any:
        context = core.Context(statement, stream=stream)
        self.send_PARSE(core.NULL_BYTE, statement, oids)
        self.send_DESCRIBE_STATEMENT(core.NULL_BYTE)
        self.send_BIND(core.NULL_BYTE, core.make_params(self.py_types, vals))
        self.send_EXECUTE()
        core._write(self._sock, core.SYNC_MSG)
        core._flush(self._sock)
        self.handle_messages(context)
        return context

    def handle_DATA_ROW(self, data: bytes, context: Any) -> None:
        """Read a row, and all further rows that the socket's buffer has already received."""
        super().handle_DATA_ROW(data, context)
        buffered, start = self._sock.peek(), 0
        while start + HEADER.size <= len(buffered):
            code, size = HEADER.unpack_from(buffered, start)
            end = start + 1 + size  # the size includes itself, but not the code
            if code != core.DATA_ROW or end > len(buffered):
                break
            super().handle_DATA_ROW(buffered[start + HEADER.size : end], context)
            start = end
        self._sock.read(start)

    def handle_COPY_DATA(self, data: bytes, context: Any) -> None:
        """Write a row, and all further rows that the socket's buffer has already received, to the stream."""
        rows, buffered, start = [data], self._sock.peek(), 0
        while start + HEADER.size <= len(buffered):
            code, size = HEADER.unpack_from(buffered, start)
            end = start + 1 + size  # the size includes itself, but not the code
            if code != core.COPY_DATA or end > len(buffered):
                break
            rows.append(buffered[start + HEADER.size : end])
            start = end
        self._sock.read(start)
        context.stream_write(b"".join(rows))


apply()
