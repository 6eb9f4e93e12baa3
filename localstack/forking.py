"""Fork a prepared process at each request of another one, which sends it descriptors for the new process."""

import os
import signal
import socket
from collections.abc import Callable, Sequence


def ask_for_fork(requests: socket.socket, request: bytes, descriptors: Sequence[int]) -> int:
    """Send a request of one byte and copies of descriptors. Return the id of the new process.

    Returns: 0 if the process at the other end has ended.
    """
    try:
        socket.send_fds(requests, [request], descriptors)
        return int.from_bytes(requests.recv(8))
    except OSError:
        return 0


def fork_for_requests(
    requests: socket.socket,
    before: Callable[[bytes], None] = lambda request: None,
    after: Callable[[], None] = lambda: None,
) -> list[int]:
    """Fork for each request. Return its descriptors in each new process, and [] when the socket is closed.

    The calling process must have no threads.

    Args:
        before, after: called in this process before each fork, and after its response.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel removes ended processes
    with requests:
        while True:
            request, descriptors, *_ = socket.recv_fds(requests, 1, 2)
            if not descriptors:
                return []
            before(request)
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return descriptors
            requests.send(pid.to_bytes(8))
            for descriptor in descriptors:
                os.close(descriptor)
            after()
