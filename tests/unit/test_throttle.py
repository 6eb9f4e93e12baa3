"""The throttle: its error and its buckets."""

from decimal import Decimal

import pytest

from shared.auth import throttle
from shared.errors import TooManyRequests


def test_check_accepts_a_wait_of_zero() -> None:
    throttle.check(Decimal(0))


@pytest.mark.parametrize(("wait", "seconds"), [("0.2", "1"), ("11.01", "12"), ("7", "7")])
def test_wait_is_rounded_up_to_whole_seconds(wait: str, seconds: str) -> None:
    with pytest.raises(TooManyRequests) as caught:
        throttle.check(Decimal(wait))
    assert str(caught.value.retry_after) == seconds
    assert f"{seconds} s" in caught.value.detail


def test_sign_in_has_a_bucket_of_5_per_email_and_of_30_per_address() -> None:
    buckets = throttle.sign_in_buckets("a@b.example", "192.0.2.1")
    assert buckets["email_bucket"] != buckets["address_bucket"]
    assert (buckets["email_capacity"], buckets["address_capacity"]) == (5, 30)
    assert throttle.sign_in_buckets("192.0.2.1", "")["email_bucket"] != buckets["address_bucket"]
