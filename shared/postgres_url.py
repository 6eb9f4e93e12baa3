"""Where Postgres is: `AWS_PGSQL_PATH` read into its parts."""

import ssl
from dataclasses import dataclass
from functools import cache
from socket import AF_UNIX, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, create_connection, socket
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from shared.settings import SettingsError

_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """The parts of a `postgresql[+driver]://user:password@host:port/database?…` URL.

    `?host=/folder` means a Unix socket. `?sslmode=` is `disable` or `verify-full`; without it a
    server on this machine is spoken to plainly, and any other with its certificate verified.
    """

    user: str
    password: str | None
    host: str
    port: int
    database: str
    unix_folder: str | None
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises: SettingsError when it is no such URL."""
        try:
            parts = urlsplit(url)
            port = parts.port or 5432
        except ValueError:
            raise SettingsError("AWS_PGSQL_PATH is not a URL") from None
        if parts.scheme.partition("+")[0] not in ("postgres", "postgresql"):
            raise SettingsError("AWS_PGSQL_PATH must begin with postgresql://")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        folder = query.get("host") if query.get("host", "").startswith("/") else None
        mode = query.get("sslmode", "disable" if folder or parts.hostname in _LOOPBACK else "verify-full")
        if mode not in ("disable", "verify-full"):
            raise SettingsError("AWS_PGSQL_PATH: sslmode must be disable or verify-full")
        return cls(
            user=unquote(parts.username or "postgres"),
            password=unquote(parts.password) if parts.password else None,
            host=parts.hostname or query.get("host", "localhost"),
            port=port,
            database=unquote(parts.path.lstrip("/")) or "postgres",
            unix_folder=folder,
            tls=mode != "disable",
        )

    def open_socket(self, timeout: float) -> socket:
        """A connected socket, without Nagle's delay; `timeout` in seconds. Raises: OSError."""
        if self.unix_folder:
            unix = socket(AF_UNIX, SOCK_STREAM)
            unix.settimeout(timeout)
            try:
                unix.connect(f"{self.unix_folder}/.s.PGSQL.{self.port}")
            except OSError:
                unix.close()
                raise
            return unix
        tcp = create_connection((self.host, self.port), timeout)
        tcp.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        return tcp

    @staticmethod
    @cache
    def tls_context() -> ssl.SSLContext:
        """Certificates verified against the system's roots, names checked."""
        return ssl.create_default_context()
