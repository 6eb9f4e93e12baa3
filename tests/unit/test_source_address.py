"""The address that the throttle counts: the peer's, or the one that a trusted proxy forwards."""

from typing import Any

import pytest

from shared.http.api import Api
from shared.http.responses import done
from shared.settings import settings
from tests.support.lambda_event import event

PEER = "192.0.2.7"
"""The peer address that API Gateway reports in an event of `lambda_event`."""
CLIENT = "203.0.113.9"
SPOOFED = "198.51.100.1"
SECRET = "0123456789abcdef" * 2


def source_address(**headers: str) -> str:
    """Return the source address of a request with these headers."""
    app, addresses = Api(media_type=None), list[str]()

    @app.get("/")
    def read() -> Any:
        addresses.append(app.source_address)
        return done("Read.")

    app(event(headers={name.replace("_", "-"): value for name, value in headers.items()}), None)
    return addresses[0]


@pytest.fixture
def behind_proxy(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ORIGIN_SECRET", SECRET)
    settings.cache_clear()


FORGED = [
    {"x_forwarded_for": f"{SPOOFED}, {PEER}"},
    {"x_forwarded_for": SPOOFED},
    {"x_forwarded_for": f"{SPOOFED}, {PEER}", "x_origin_secret": ""},
    {"x_forwarded_for": f"{SPOOFED}, {PEER}", "x_origin_secret": SECRET[:-1]},
    {"x_forwarded_for": f"{SPOOFED}, {PEER}", "x_origin_secret": f"{SECRET}, {SECRET}"},
    {"x_forwarded_for": f"{SPOOFED}, {PEER}", "x_origin_secret": "é"},
    {"forwarded": f"for={SPOOFED}", "x_real_ip": SPOOFED, "cf_connecting_ip": SPOOFED},
]


@pytest.mark.parametrize("headers", [*FORGED, {"x_forwarded_for": SPOOFED, "x_origin_secret": SECRET}])
def test_headers_do_not_change_the_address_without_an_origin_secret(headers: dict[str, str]) -> None:
    assert source_address(**headers) == PEER


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("headers", FORGED)
def test_request_that_bypasses_the_proxy_keeps_the_peers_address(headers: dict[str, str]) -> None:
    assert source_address(**headers) == PEER


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("name", ["x_origin_secret", "X_Origin_Secret"])
@pytest.mark.parametrize(
    "forwarded",
    [
        f"{CLIENT}, {PEER}",
        f"{SPOOFED}, {CLIENT}, {PEER}",
        f"{PEER}, {CLIENT}, {PEER}",
        f"nonsense,{CLIENT},{PEER}",
        CLIENT,
    ],
)
def test_last_address_before_the_peer_counts_behind_the_proxy(forwarded: str, name: str) -> None:
    assert source_address(**{"x_forwarded_for": forwarded, name: SECRET}) == CLIENT


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("forwarded", [None, "", PEER, "unknown", f"unknown, {PEER}", f"{CLIENT}, x, {PEER}"])
def test_peers_address_counts_if_the_proxy_forwards_no_address(forwarded: str | None) -> None:
    headers = {} if forwarded is None else {"x_forwarded_for": forwarded}
    assert source_address(**headers, x_origin_secret=SECRET) == PEER


@pytest.mark.usefixtures("behind_proxy")
def test_ipv4_mapped_ipv6_address_counts_as_ipv4() -> None:
    assert source_address(x_forwarded_for=f"::ffff:{CLIENT}, {PEER}", x_origin_secret=SECRET) == CLIENT


@pytest.mark.usefixtures("behind_proxy")
def test_ipv6_addresses_of_one_64_network_count_as_one() -> None:
    sent = [f"2001:db8:1:2:{host}, {PEER}" for host in ("3:4:5:6", "a:b:c:d")]
    assert {source_address(x_forwarded_for=one, x_origin_secret=SECRET) for one in sent} == {
        "2001:db8:1:2::/64"
    }
