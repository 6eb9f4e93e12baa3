"""The client's source address, for the throttle."""

import hmac
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network

from shared.settings import settings

PROXY_HEADER = "x-origin-secret"
IPV6_SITE_BITS = 64
"""One subscriber has at least a /64 network (RFC 6177), so its addresses count as one."""


def source_address(headers: Mapping[str, str], peer: str) -> str:
    """Return the address of the client.

    If the request carries ORIGIN_SECRET, the deployer's proxy sent it, so return the last address that the
    proxy wrote into X-Forwarded-For. Otherwise return `peer`, and ignore that header: any client can send it.

    Args:
        headers: with lower-case names.
        peer: the address that API Gateway received the request from.
    """
    forwarded = _forwarded(headers, peer) if _from_proxy(headers) else None
    return _throttled_address(forwarded or peer)


def _from_proxy(headers: Mapping[str, str]) -> bool:
    secret = settings().origin_secret
    sent = headers.get(PROXY_HEADER, "")
    return secret is not None and hmac.compare_digest(sent.encode(), secret.get_secret_value().encode())


def _forwarded(headers: Mapping[str, str], peer: str) -> str | None:
    """Return the last address before `peer`, which API Gateway appends; None unless it is an address."""
    addresses = [address.strip() for address in headers.get("x-forwarded-for", "").split(",")]
    if addresses[-1] == peer:
        addresses.pop()
    return addresses[-1] if addresses and _is_address(addresses[-1]) else None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _throttled_address(address: str) -> str:
    if not _is_address(address) or not isinstance(parsed := ip_address(address), IPv6Address):
        return address
    # A proxy that listens on IPv6 writes IPv4 addresses as ::ffff:192.0.2.7, all of them in one /64 network.
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((address, IPV6_SITE_BITS), strict=False))
