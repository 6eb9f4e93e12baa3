"""The addresses that clients use where only IPv6 leads out (docs/how-to/deploy.md, "The network")."""

import socket
from collections.abc import Callable
from functools import cache
from typing import Any

from shared.settings import settings

Resolver = Callable[..., list[Any]]


@cache
def skip_unreachable_ipv4() -> None:
    """Ignore the IPv4 addresses of hosts that have IPv6, where the settings say that IPv4 has no way out.

    A packet to such an IPv4 address is dropped, so a client that tries it first spends its whole timeout.
    boto3, urllib3 and http.client have no setting for the address family; all of them call
    `socket.getaddrinfo` and connect to its results in their order. Postgres and S3 are reached inside the
    VPC, by names with IPv4 addresses only, and keep them.
    """
    if settings().outbound_ipv6_only:
        socket.getaddrinfo = _ipv6_or_all(socket.getaddrinfo)


def _ipv6_or_all(resolve: Resolver) -> Resolver:
    def getaddrinfo(*arguments: Any, **named: Any) -> list[Any]:
        found = resolve(*arguments, **named)
        return [address for address in found if address[0] is socket.AF_INET6] or found

    return getaddrinfo
