"""Make HTTP clients connect by IPv6 only if the VPC has no route to the internet for IPv4.

See docs/how-to/deploy.md, "The network".
"""

import socket
from collections.abc import Callable
from functools import cache
from typing import Any

from shared.settings import settings

Resolver = Callable[..., list[Any]]


@cache
def skip_unreachable_ipv4() -> None:
    """Ignore the IPv4 addresses of hosts that have IPv6, if OUTBOUND_IPV6_ONLY is set.

    The VPC drops packets to such an IPv4 address, so a client that tries it first waits for its timeout.
    boto3, urllib3 and http.client have no setting for the address family; all of them call
    `socket.getaddrinfo` and connect to its results in order. Postgres and S3 are inside the VPC; their names
    have only IPv4 addresses and keep them.
    """
    if settings().outbound_ipv6_only:
        socket.getaddrinfo = _ipv6_or_all(socket.getaddrinfo)


def _ipv6_or_all(resolve: Resolver) -> Resolver:
    def getaddrinfo(*arguments: Any, **named: Any) -> list[Any]:
        found = resolve(*arguments, **named)
        return [address for address in found if address[0] is socket.AF_INET6] or found

    return getaddrinfo
