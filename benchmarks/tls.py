"""A TLS proxy for the embedded Postgres, which itself supports neither TLS nor TCP."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from select import select
from socket import IPPROTO_TCP, TCP_NODELAY, create_server, socket
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from localstack.postgres import DATABASE, Postgres
from shared.database.url import PostgresUrl

SSL_REQUEST = (80877103).to_bytes(4)
"""The code with which a client requests TLS (PostgreSQL manual, "Message Formats")."""


@contextmanager
def over_tls(postgres: Postgres, folder: Path) -> Iterator[dict[str, str]]:
    """Open a port on this machine that forwards to the server for the block.

    Yields:
        The environment variables of a client: the URL, and the file of the certificate to trust.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate := _certificate(folder))
    with create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener was closed
                while True:
                    Thread(
                        target=_forward, args=(listener.accept()[0], postgres, context), daemon=True
                    ).start()

        Thread(target=serve, daemon=True).start()
        url = f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}/{DATABASE}?sslmode=verify-full"
        yield {"AWS_PGSQL_PATH": url, "SSL_CERT_FILE": str(certificate)}


def _forward(caller: socket, postgres: Postgres, context: ssl.SSLContext) -> None:
    """Forward bytes in both directions until one side closes its connection."""
    with suppress(OSError), caller, PostgresUrl.parse(postgres.url).open_socket(10) as server:
        caller.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        assert caller.recv(8)[4:] == SSL_REQUEST
        caller.sendall(b"S")
        with context.wrap_socket(caller, server_side=True) as tls:
            while True:
                for end in select([tls, server], [], [])[0]:
                    if not (block := end.recv(1 << 16)):
                        return
                    (server if end is tls else tls).sendall(block)


def _certificate(folder: Path) -> Path:
    """Create a self-signed certificate for 127.0.0.1, and return the file with it and its key."""
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    times = (now - timedelta(days=1), now + timedelta(days=1))
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *times)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(address, critical=True).sign(key, hashes.SHA256())
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(signed.public_bytes(Encoding.PEM) + clear)
    return file
