"""The URLs and addresses of webhooks: each way around a filter that the OWASP page on SSRF names is closed.

https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from shared.schemas.requests import LONGEST_WEBHOOK_URL
from shared.webhook_url import LONGEST_URL, InvalidUrl, Target, is_public, parse
from webhooks.addresses import RefusedAddress, resolve

Resolve = Callable[..., None]

PRIVATE = {
    "this host": "0.0.0.0",
    "this network": "0.1.2.3",
    "loopback": "127.0.0.1",
    "all of loopback": "127.88.23.245",
    "private 10": "10.1.2.3",
    "private 172": "172.31.255.254",
    "private 192": "192.168.0.1",
    "carrier-grade NAT": "100.64.0.1",
    "metadata of Alibaba": "100.100.100.200",
    "link-local and metadata": "169.254.169.254",
    "metadata of ECS": "169.254.170.2",
    "IETF": "192.0.0.1",
    "documentation": "192.0.2.1",
    "6to4 relay": "192.88.99.1",
    "benchmarks": "198.18.0.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 unspecified": "::",
    "IPv6 loopback": "::1",
    "IPv6 private": "fd12:3456:789a::1",
    "IPv6 metadata of AWS": "fd00:ec2::254",
    "IPv6 link-local": "fe80::1",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv6 documentation": "2001:db8::1",
    "IPv6 newer documentation": "3fff::1",
    "IPv6 discard": "100::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped metadata": "::ffff:a9fe:a9fe",
    "mapped public": "::ffff:8.8.8.8",
    "translated": "::ffff:0:127.0.0.1",
    "compatible": "::127.0.0.1",
    "6to4 of metadata": "2002:a9fe:a9fe::1",
    "6to4 of private": "2002:0a00:0001::1",
    "6to4 of loopback": "2002:7f00:1::",
    "NAT64 of metadata": "64:ff9b::a9fe:a9fe",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "local NAT64": "64:ff9b:1::a9fe:a9fe",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "ORCHID": "2001:20::1",
    "segment routing": "5f00::1",
}
"""Addresses that are not public, with the reason."""
PUBLIC_IPV4 = ("8.8.8.8", "93.184.216.34", "172.32.0.1")
PUBLIC_IPV6 = ("2606:4700:4700::1111", "2a00:1450:4001:800::200e")

REJECTED = {
    "plain http": "http://example.com/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://example.com:6379/_INFO",
    "dict": "dict://example.com:11211/stats",
    "ftp": "ftp://example.com/",
    "ldap": "ldap://example.com/",
    "no scheme": "example.com/hook",
    "only a scheme": "https://",
    "no host": "https:///",
    "host in the path": "https:///127.0.0.1/",
    "no slashes": "https:127.0.0.1",
    "one slash": "https:/127.0.0.1",
    "only a port": "https://:8443/",
    "loopback name": "https://localhost/",
    "loopback name with a dot": "https://localhost./",
    "loopback name in capitals with a dot": "https://LOCALHOST./",
    "name below localhost": "https://a.localhost/",
    "internal name": "https://ip-10-0-0-1.ec2.internal/",
    "metadata name of Google": "https://metadata.google.internal/computeMetadata/v1/",
    "metadata name of Google with a dot": "https://metadata.google.internal./",
    "public name with a dot": "https://example.com./",
    "multicast DNS": "https://printer.local/",
    "single label": "https://metadata/latest",
    "loopback": "https://127.0.0.1/",
    "short loopback": "https://127.1/",
    "zero": "https://0/",
    "short loopback of three parts": "https://127.0.1/",
    "short private": "https://10.1/",
    "decimal": "https://2130706433/",
    "decimal with a dot": "https://2130706433./",
    "decimal metadata": "https://2852039166/latest/meta-data",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal in capitals": "https://0X7F000001/",
    "hexadecimal metadata": "https://0xa9fea9fe/",
    "only the prefix of a hexadecimal number": "https://0x/",
    "dotted hexadecimal": "https://0x7f.0x0.0x0.0x1/",
    "octal": "https://0177.0.0.1/",
    "long octal": "https://00000177.0.0.1/",
    "octal in one number": "https://017700000001/",
    "octal metadata": "https://0251.0376.0251.0376/",
    "octal zeros": "https://127.000.000.001/",
    "mixed encoding": "https://0251.0xfe.169.254/",
    "partly decimal": "https://169.254.43518/",
    "overflow": "https://425.510.425.510/",
    "numeric name with a dot": "https://127.0.0.1./",
    "hexadecimal last label": "https://example.0x7f/",
    "percent-encoded host": "https://%31%32%37.0.0.1/",
    "percent-encoded dot": "https://127%2e0%2e0%2e1/",
    "enclosed digits": "https://\u2460\u2461\u2466.0.0.1/",
    "ideographic stop": "https://127\u30020\u30020\u30021/",
    "full-width letters": "https://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/",
    "IPv6 loopback": "https://[::1]/",
    "mapped IPv6": "https://[::ffff:127.0.0.1]/",
    "mapped IPv6 in hexadecimal": "https://[::ffff:7f00:1]/",
    "mapped metadata": "https://[::ffff:169.254.169.254]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "zone of IPv6": "https://[fe80::1%25eth0]/",
    "broken IPv6": "https://[::1/",
    "user name": "https://example.com@127.0.0.1/",
    "short user name": "https://a@127.0.0.1",
    "user name with a semicolon": "https://good.example;@127.0.0.1/",
    "user name with an encoded slash": "https://good.example%2f@127.0.0.1/",
    "semicolon": "https://good.example;127.0.0.1/",
    "comma": "https://good.example,127.0.0.1/",
    "user name and password": "https://a:b@example.com/",
    "empty user name": "https://@example.com/",
    "two at signs": "https://example.com:443@example.org@127.0.0.1/",
    "backslash": "https://example.com\\@127.0.0.1/",
    "backslash path": "https:\\\\127.0.0.1\\",
    "fragment": "https://example.com/#@127.0.0.1/",
    "empty fragment": "https://example.com/#",
    "tab": "https://exam\tple.com/",
    "line break": "https://example.com/\r\nHost: 127.0.0.1",
    "space": "https://example.com/ HTTP/1.1",
    "leading space": " https://example.com/",
    "NUL": "https://example.com\0.127.0.0.1/",
    "SMTP's port": "https://example.com:25/",
    "SSH's port": "https://example.com:22/",
    "http's port": "https://example.com:80/",
    "port zero": "https://example.com:0/",
    "port too large": "https://example.com:65536/",
    "port in letters": "https://example.com:https/",
    "underscore": "https://a_b.example.com/",
    "leading hyphen": "https://-a.example.com/",
    "empty label": "https://a..example.com/",
    "label too long": f"https://{'a' * 64}.example.com/",
    "name too long": f"https://{'a.' * 130}com/",
    "URL too long": "https://example.com/" + "a" * 1000,
}
"""URLs that the service must not accept, with the trick."""


@pytest.mark.parametrize("url", REJECTED.values(), ids=REJECTED)
def test_url_is_rejected(url: str) -> None:
    with pytest.raises(InvalidUrl):
        parse(url)


def test_limit_of_a_urls_length_is_that_of_the_schema() -> None:
    assert LONGEST_URL == LONGEST_WEBHOOK_URL
    assert parse("https://example.com/".ljust(LONGEST_URL, "a"))


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
def test_address_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
def test_url_with_such_an_address_is_rejected(address: str) -> None:
    with pytest.raises(InvalidUrl):
        parse(f"https://[{address}]/" if ":" in address else f"https://{address}/")


@pytest.mark.parametrize("address", PUBLIC_IPV4)
def test_public_address_is_accepted(address: str) -> None:
    assert is_public(ip_address(address))
    assert parse(f"https://{address}/").host == address


@pytest.mark.parametrize("address", PUBLIC_IPV6)
@pytest.mark.parametrize("allows_loopback", [False, True])
def test_public_ipv6_address_is_accepted_only_behind_a_name(address: str, allows_loopback: bool) -> None:
    """The name may have an IPv4 address too."""
    assert is_public(ip_address(address))
    with pytest.raises(InvalidUrl, match="can't reach IPv6"):
        parse(f"https://[{address}]/", allows_loopback=allows_loopback)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", Target(True, "example.com", 443, "/")),
        ("https://Hooks.Example.com:8443/a/b?c=d&e", Target(True, "hooks.example.com", 8443, "/a/b?c=d&e")),
        ("https://example.com?a", Target(True, "example.com", 443, "/?a")),
        ("HTTPS://xn--bcher-kva.example:443/", Target(True, "xn--bcher-kva.example", 443, "/")),
        ("https://1.2.3.example.com/%7e", Target(True, "1.2.3.example.com", 443, "/%7e")),
    ],
)
def test_https_url_of_a_public_host_is_accepted(url: str, target: Target) -> None:
    assert parse(url) == target


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a", "http://localhost:9/a", "http://[::1]:9/a"])
def test_only_the_offline_cloud_accepts_a_url_of_this_machine(url: str) -> None:
    assert parse(url, allows_loopback=True).port == 9
    with pytest.raises(InvalidUrl):
        parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1:9/",
        "http://example.com/",
        "http://169.254.169.254/",
        "http://localhost.:9/",
        "http://2130706433:9/",
        "http://127.1:9/",
        "http://localhost@10.0.0.1:9/",
    ],
)
def test_the_offline_cloud_accepts_no_other_plain_or_private_url(url: str) -> None:
    with pytest.raises(InvalidUrl):
        parse(url, allows_loopback=True)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Return a function that makes every name resolve to these addresses."""

    def to(*addresses: str) -> None:
        def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return to


TARGET = Target(True, "example.com", 443, "/")


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
def test_name_that_resolves_to_such_an_address_is_refused(names: Resolve, address: str) -> None:
    names(address)
    with pytest.raises(RefusedAddress):
        resolve(TARGET)


@pytest.mark.parametrize("private", ["10.0.0.1", "::1"])
def test_one_private_address_among_public_ones_is_refused(names: Resolve, private: str) -> None:
    names("93.184.216.34", private, "2606:4700:4700::1111")
    with pytest.raises(RefusedAddress):
        resolve(TARGET)


def test_addresses_are_returned_once_in_the_resolvers_order(names: Resolve) -> None:
    names("2606:4700:4700::1111", "93.184.216.34", "2606:4700:4700::1111")
    assert resolve(TARGET) == ["2606:4700:4700::1111", "93.184.216.34"]


def test_link_local_address_with_a_zone_is_refused(names: Resolve) -> None:
    names("fe80::1%eth0")
    with pytest.raises(RefusedAddress):
        resolve(TARGET, allows_loopback=True)


@pytest.mark.parametrize("name", ["2130706433", "0x7f.1", "127.1", "017700000001"])
def test_resolver_that_reads_numbers_as_addresses_reaches_nothing_private(name: str) -> None:
    """The C library parses these without DNS. The text of such a URL is rejected too."""
    with pytest.raises((RefusedAddress, OSError)):
        resolve(Target(True, name, 443, "/"))
