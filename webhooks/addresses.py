"""Resolve the host of a webhook, and refuse addresses that are not public.

The caller connects to a returned address and not to the name, so a name that resolves to another address the
next time (DNS rebinding) changes nothing.
"""

import socket
from ipaddress import ip_address

from shared.webhook_url import Target, is_public


class RefusedAddress(Exception):
    """The host has an address to which the service does not connect."""


def resolve(target: Target, *, allows_loopback: bool = False) -> list[str]:
    """Return the addresses of a target's host, in the order of the resolver.

    If one address is not allowed, all are refused, because a public server has no private address.

    Args:
        allows_loopback: whether the addresses of this machine are allowed too.

    Raises:
        RefusedAddress: an address is not public.
        OSError: the name does not resolve.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        parsed = ip_address(address)
        if not (is_public(parsed) or (allows_loopback and parsed.is_loopback)):
            raise RefusedAddress("The URL's host has an address that is not public.")
    return addresses
