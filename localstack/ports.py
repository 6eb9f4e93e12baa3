"""Ports: found, checked before anything is started."""

import socket
from contextlib import closing

from localstack.settings import CannotStart


def available(port: int, host: str, variable: str) -> int:
    """The port, or a free one for 0. Raises: CannotStart, naming the setting, when it is taken."""
    with closing(socket.socket()) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
        except socket.gaierror as error:
            raise CannotStart(f"HOST={host} is no address of this machine ({error.strerror}).") from None
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} can't be used ({error.strerror}): another program may have it. "
                f"Choose another one with {variable}, for example: {variable}={port + 1} make up"
            ) from None
        chosen: int = candidate.getsockname()[1]
        return chosen
