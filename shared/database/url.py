"""Parse AWS_PGSQL_PATH, and open sockets and TLS to the Postgres server that it names."""

import re
import ssl
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socket import AF_UNIX, IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, create_connection, socket
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from shared.errors import SettingsError

_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")
_RDS_HOST = re.compile(r"\.([a-z0-9-]+)\.rds\.amazonaws\.com(\.cn)?$")
_RDS_ROOTS = Path(__file__).with_name("rds_roots.pem")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """The parts of a `postgresql[+driver]://user:password@host:port/database?…` URL.

    `?host=/folder` means a Unix socket. `?sslmode=` is `disable` or `verify-full`; the default is
    `disable` for a server on this machine and `verify-full` for any other. `?proxy=true` means that the
    server is RDS Proxy: see `Database`.
    """

    user: str
    password: str | None
    host: str
    port: int
    database: str
    unix_folder: str | None
    tls: bool
    proxied: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parse a URL. Raises: SettingsError if it is not a Postgres URL."""
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
            proxied=query.get("proxy") == "true",
        )

    def open_socket(self, timeout: float) -> socket:
        """Return a connected socket with TCP_NODELAY. `timeout` is in seconds.

        Raises: ConnectionError, an OSError, that names the server.
        """
        try:
            return self._connect(timeout)
        except OSError as error:
            where = self.unix_folder or f"{self.host}:{self.port}"
            raise ConnectionError(
                f"Postgres at {where} can't be reached: {error.strerror or error}"
            ) from error

    def _connect(self, timeout: float) -> socket:
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

    def driver_arguments(self, connected: socket) -> dict[str, Any]:
        """Return pg8000's arguments for a connection over this socket. Raises: as `tls_context`."""
        return {
            "user": self.user,
            "host": self.host,
            "database": self.database,
            "password": self.password,
            "sock": connected,
            "ssl_context": self.tls_context() if self.tls else False,
        }

    def tls_context(self) -> ssl.SSLContext:
        """Return a context that verifies the server's certificate and name.

        For a server of RDS it trusts Amazon's RDS roots, which no operating system includes. For any other
        server it trusts the system's roots.

        Raises: SettingsError for an RDS region whose roots are missing in rds_roots.pem.
        """
        found = _RDS_HOST.search(self.host)
        return _tls_context(found[1] if found else None)


@cache
def _tls_context(region: str | None) -> ssl.SSLContext:
    if region is None:
        return ssl.create_default_context()
    # Loading these eight roots takes 5 ms at a cold start; loading the system's would take 50 ms.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=rds_roots(region))
    return context


def rds_roots(region: str) -> str:
    """Return the roots of a region and of RDS Proxy as PEM. Raises: SettingsError for an unknown region."""
    found = re.findall(r"^# (\S+)\n([^#]+)", _RDS_ROOTS.read_text("ascii"), re.MULTILINE)
    sections: dict[str, str] = dict(found)
    if region not in sections:
        raise SettingsError(
            f"RDS in {region} can't be verified: add its roots to shared/database/rds_roots.pem"
            " (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html)"
        )
    return sections[region] + sections["proxy"]
