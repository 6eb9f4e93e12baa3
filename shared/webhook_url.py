"""The URLs to which webhooks may be sent: https, a host name or a public IPv4 address, and no credentials.

This checks the text only. `webhooks/addresses.py` checks the addresses to which a name resolves, when it
connects.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 1000
"""Characters."""
HTTPS_PORT = 443
LOWEST_PORT = 1024
"""The lowest port besides HTTPS_PORT. Lower ones belong to other services, such as SMTP."""

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}", re.IGNORECASE)
# A host that ends with a number is an IPv4 address for many parsers (WHATWG URL, "ends in a number"): 127.1,
# 2130706433, 0x7f000001, 0177.0.0.1.
_ENDS_IN_A_NUMBER = re.compile(r"(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)\.?$", re.IGNORECASE)

_GLOBAL_UNICAST = ip_network("2000::/3")
_TRANSITION = tuple(
    ip_network(network) for network in ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")
)
"""6to4, documentation, and the special-purpose block with Teredo (IANA IPv6 Special-Purpose Address
Registry). The other forms that contain an IPv4 address are outside 2000::/3."""
_RELAYS = ip_network("192.88.99.0/24")
"""6to4 relays (RFC 7526)."""


class InvalidUrl(ValueError):
    """The URL is not allowed. The message is for the user."""


class Target(NamedTuple):
    """What a request to a URL needs. `path` includes the query; `host` is a name or an address."""

    is_https: bool
    host: str
    port: int
    path: str


def parse(url: str, *, allows_loopback: bool = False) -> Target:
    """Return the target of a URL.

    Args:
        allows_loopback: whether a URL of this machine is allowed too, also with http. Only the offline cloud
            allows it.

    Raises:
        InvalidUrl.
    """
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidUrl(f"Input should be a URL of at most {LONGEST_URL:,} ASCII characters, without spaces")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidUrl("Input should be a URL with a valid host and port") from None
    if parts.username is not None or parts.password is not None:
        raise InvalidUrl("Input should have no user name or password")
    if parts.fragment or url.endswith("#"):
        raise InvalidUrl("Input should have no fragment")
    is_https = parts.scheme == "https"
    is_loopback = allows_loopback and _is_loopback(host)
    if not is_https and not (is_loopback and parts.scheme == "http"):
        raise InvalidUrl("Input should begin with https://")
    if not is_loopback:
        _check_host(host)
        _check_port(port)
    return Target(is_https, host, port or (HTTPS_PORT if is_https else 80), _path(parts))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address belongs to the public internet.

    An IPv6 address that contains an IPv4 address is not public, because it may lead to any IPv4 address:
    mapped and compatible addresses, 6to4, NAT64 and Teredo.
    """
    if isinstance(address, IPv4Address):
        # Python before 3.13 counts some of the reserved blocks as global.
        return (
            address.is_global
            and not address.is_multicast
            and not address.is_reserved
            and address not in _RELAYS
        )
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in network for network in _TRANSITION)
    )


def _check_host(host: str) -> None:
    address = None
    try:
        address = ip_address(host)
    except ValueError:
        if _ENDS_IN_A_NUMBER.search(host) or not _NAME.fullmatch(host) or len(host) > 253:
            raise InvalidUrl("Input should have a full host name, such as hooks.example.com") from None
        if host.lower().endswith((".localhost", ".local", ".internal")):
            raise InvalidUrl("Input should have the host name of a public server") from None
    if isinstance(address, IPv6Address):
        raise InvalidUrl(
            "Input should have a host name or IPv4 address. The service can't reach IPv6 addresses"
        )
    if address is not None and not is_public(address):
        raise InvalidUrl("Input should have the address of a public server")


def _check_port(port: int | None) -> None:
    if port is not None and port != HTTPS_PORT and port < LOWEST_PORT:
        raise InvalidUrl(f"Input should have the port {HTTPS_PORT}, or one from {LOWEST_PORT:,}")


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
