"""The address that the throttle counts: the peer's, or the one that the deployer's proxy names."""

from typing import Any

import pytest

from shared.http.api import Api
from shared.http.responses import done
from shared.settings import settings
from tests.support.lambda_event import event

PEER = "192.0.2.7"
"""What API Gateway saw: the address in an event of `lambda_event`."""
CLIENT = "203.0.113.9"
SPOOFED = "198.51.100.1"
SECRET = "0123456789abcdef" * 2


def counted(**headers: str) -> str:
    """The source address of a request with these headers."""
    app, seen = Api(media_type=None), list[str]()

    @app.get("/")
    def read() -> Any:
        seen.append(app.source_address)
        return done("Read.")

    app(event(headers={name.replace("_", "-"): value for name, value in headers.items()}), None)
    return seen[0]


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
def test_without_the_setting_no_header_changes_the_address(headers: dict[str, str]) -> None:
    assert counted(**headers) == PEER


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("headers", FORGED)
def test_a_request_around_the_proxy_changes_no_address(headers: dict[str, str]) -> None:
    assert counted(**headers) == PEER


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
def test_behind_the_proxy_the_last_address_that_it_wrote_counts(forwarded: str, name: str) -> None:
    assert counted(**{"x_forwarded_for": forwarded, name: SECRET}) == CLIENT


@pytest.mark.usefixtures("behind_proxy")
@pytest.mark.parametrize("forwarded", [None, "", PEER, "unknown", f"unknown, {PEER}", f"{CLIENT}, x, {PEER}"])
def test_a_proxy_that_names_no_address_counts_itself(forwarded: str | None) -> None:
    headers = {} if forwarded is None else {"x_forwarded_for": forwarded}
    assert counted(**headers, x_origin_secret=SECRET) == PEER


@pytest.mark.usefixtures("behind_proxy")
def test_an_ipv4_address_that_the_proxy_writes_as_ipv6_counts_by_itself() -> None:
    assert counted(x_forwarded_for=f"::ffff:{CLIENT}, {PEER}", x_origin_secret=SECRET) == CLIENT


@pytest.mark.usefixtures("behind_proxy")
def test_the_addresses_of_one_ipv6_network_count_as_one() -> None:
    sent = [f"2001:db8:1:2:{host}, {PEER}" for host in ("3:4:5:6", "a:b:c:d")]
    assert {counted(x_forwarded_for=one, x_origin_secret=SECRET) for one in sent} == {"2001:db8:1:2::/64"}
