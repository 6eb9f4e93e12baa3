"""Check and choose ports before any process starts."""

import socket
from contextlib import closing

from localstack.stack_settings import CannotStart


def available(port: int, host: str, variable: str) -> int:
    """Return the port, or a free one for 0. Raises: CannotStart with the setting's name if it is in use."""
    with closing(socket.socket()) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except socket.gaierror as error:
            raise CannotStart(f"HOST={host} is not an address of this machine ({error.strerror}).") from None
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} can't be used ({error.strerror}): another program may be using it. "
                f"Choose another port with {variable}, for example: {variable}={port + 1} make up"
            ) from None
        chosen: int = candidate.getsockname()[1]
        return chosen
