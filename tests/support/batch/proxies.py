"""Proxies before Postgres, S3 and SQS that report each step of the traffic to a `Stage`."""

import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pg8000.native import to_statement

from shared.database import connection as database
from tests.support.batch.stage import AFTER, BEFORE, DURING, Stage

Connect = Callable[[], socket.socket]

_STATEMENTS = {
    to_statement(database.statement_text(file.stem))[0]: file.stem
    for file in (Path(database.__file__).parent / "sql").glob("*.sql")
}
_COMMANDS = {
    "BEGIN": "begin",
    "COMMIT": "commit",
    "COPY records": "copy records",
    "COPY task_errors": "copy errors",
    database.statement_text("results").partition("{")[0]: "read results",
}
_REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")
_REQUESTS = (
    (r"HEAD \S+/uploads/", "HEAD file"),
    (r"GET \S+/uploads/", "GET file"),
    (r"POST \S+\?uploads", "begin results"),
    (r"PUT \S+partNumber=", "PUT results"),
    (r"POST \S+\?uploadId=", "complete results"),
    (r"DELETE ", "abort results"),
    (r"POST /", "queue"),
)


class Proxy:
    """Accept connections and forward each in both directions, by two threads, until one side closes."""

    def __init__(self, listener: socket.socket, connect: Connect, stage: Stage) -> None:
        self._listener, self._connect, self._stage = listener, connect, stage
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                connection = self._connection(client, server)
                for pump in (connection.up, connection.down):
                    threading.Thread(target=connection.run, args=(pump,), daemon=True).start()

    def _connection(self, client: socket.socket, server: socket.socket) -> "Connection":
        raise NotImplementedError


class Connection:
    """One connection, forwarded in both directions."""

    def __init__(self, client: socket.socket, server: socket.socket, stage: Stage) -> None:
        self.client, self.server, self.stage = client, server, stage
        self.step = ""
        self._ended = threading.Semaphore(1)

    def run(self, pump: Callable[[], None]) -> None:
        try:
            with suppress(OSError):
                pump()
        finally:
            for end in (self.client, self.server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            # The thread that ends second closes both sockets: their descriptors may be reused after that.
            if not self._ended.acquire(blocking=False):
                self.client.close()
                self.server.close()

    def up(self) -> None:
        raise NotImplementedError

    def down(self) -> None:
        raise NotImplementedError


class PostgresConnection(Connection):
    """Parse the messages of the protocol (PostgreSQL manual, "Message Formats")."""

    _names: dict[bytes, str]
    _unnamed = ""
    _copy = ""
    _last = ("", "")
    """The last two steps."""

    def up(self) -> None:
        self._names = {}
        rest, first = b"", True
        while data := self.client.recv(1 << 18):
            rest, messages = _messages(rest + data, first)
            first = False
            steps = [step for kind, body in messages if (step := self._step(kind, body))]
            if not all(self.stage.passing(step, BEFORE) for step in steps):
                return
            self.server.sendall(data)
            if not all(self.stage.passing(step, DURING) for step in steps):
                return

    def down(self) -> None:
        rest = b""
        while data := self.server.recv(1 << 16):
            rest, messages = _messages(rest + data, False)
            kinds = {kind for kind, _ in messages}
            # ReadyForQuery or CopyInResponse. CopyData follows when rows are read.
            if kinds & {b"Z", b"G"} and self.step and not self.stage.passing(self.step, AFTER):
                return
            if b"d" in kinds and not self.stage.passing(f"{self.step} data", DURING):
                return
            if b"Z" in kinds:
                self.step = ""  # the next message may only prepare a statement, which is no step
            self.client.sendall(data)

    def _step(self, kind: bytes, body: bytes) -> str:
        """Return the step that a message begins, or an empty string."""
        step = ""
        if kind == b"Q":
            step = _command(body)
        elif kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            if name:
                self._names[name] = _STATEMENTS.get(sql.decode(), "")
            else:
                self._unnamed = _command(sql)
        elif kind == b"B":
            step = self._names.get(body.split(b"\0", 2)[1], "")
        elif kind == b"E" and self._unnamed:
            step, self._copy, self._unnamed = self._unnamed, self._unnamed, ""
        elif kind in (b"d", b"c"):
            step = f"{self._copy} {'data' if kind == b'd' else 'end'}"
        if not step:
            return ""
        # The worker's own transaction that only sends a message. It changes no other row.
        if step == "commit" and self._last == ("begin", "claim_message"):
            step = "commit message"
        self._last = (self._last[1], step)
        self.step = step
        return step


class HttpConnection(Connection):
    """Detect the start of each request, and report each block of a response as it arrives."""

    def __init__(self, client: socket.socket, server: socket.socket, stage: Stage) -> None:
        super().__init__(client, server, stage)
        self._passing = threading.Lock()
        """Held while a request starts, so that a quick response can't pass before a fault DURING it."""

    def up(self) -> None:
        while data := self.client.recv(1 << 16):
            found = _REQUEST.match(data)
            if found:
                self.step = _request(f"{found[1].decode()} {found[2].decode()}")
                if not self.stage.passing(self.step, BEFORE):
                    return
                with self._passing:
                    self.server.sendall(data)
                    if not self.stage.passing(self.step, DURING):
                        self.client.shutdown(socket.SHUT_RDWR)
                        return
            else:
                self.server.sendall(data)

    def down(self) -> None:
        last = ""
        while data := self.server.recv(8192):
            with self._passing:  # wait for the request to pass
                pass
            is_first_block, last = last != self.step, self.step
            if is_first_block and not self.stage.passing(self.step, AFTER):
                return
            if not is_first_block and not self.stage.passing(f"{self.step} data", DURING):
                # Cut the data in the middle, most probably within a row.
                self.client.sendall(data[: len(data) // 2])
                return
            self.client.sendall(data)


class PostgresProxy(Proxy):
    """A Unix socket in `folder` that forwards to the one in `server_folder`."""

    def __init__(self, folder: Path, server_folder: str, stage: Stage) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen()

        def connect() -> socket.socket:
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(f"{server_folder}/.s.PGSQL.5432")
            except OSError:
                server.close()
                raise
            return server

        super().__init__(listener, connect, stage)

    def _connection(self, client: socket.socket, server: socket.socket) -> Connection:
        return PostgresConnection(client, server, self._stage)


class HttpProxy(Proxy):
    """A local port that forwards to the given one."""

    def __init__(self, port: int, stage: Stage) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        super().__init__(listener, lambda: socket.create_connection(("127.0.0.1", port)), stage)

    def _connection(self, client: socket.socket, server: socket.socket) -> Connection:
        return HttpConnection(client, server, self._stage)


def _messages(data: bytes, startup: bool) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the complete messages in the data, and the remaining bytes."""
    messages = list[tuple[bytes, bytes]]()
    at = struct.unpack("!i", data[:4])[0] if startup else 0
    while len(data) >= at + 5:
        end = at + 1 + struct.unpack("!i", data[at + 1 : at + 5])[0]
        if len(data) < end:
            break
        messages.append((data[at : at + 1], data[at + 5 : end]))
        at = end
    return data[at:], messages


def _command(sql: bytes) -> str:
    text = sql.decode()
    return next((step for start, step in _COMMANDS.items() if text.startswith(start)), "")


def _request(line: str) -> str:
    return next((step for pattern, step in _REQUESTS if re.match(pattern, line)), "other")
