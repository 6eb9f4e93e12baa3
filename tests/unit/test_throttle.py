"""The throttle's refusal and its buckets."""

from decimal import Decimal

import pytest

from shared.auth import throttle
from shared.errors import TooManyRequests


def test_no_wait_is_no_refusal() -> None:
    throttle.check(Decimal(0))


@pytest.mark.parametrize(("wait", "seconds"), [("0.2", "1"), ("11.01", "12"), ("7", "7")])
def test_a_wait_is_sent_in_whole_seconds(wait: str, seconds: str) -> None:
    with pytest.raises(TooManyRequests) as caught:
        throttle.check(Decimal(wait))
    assert str(caught.value.retry_after) == seconds
    assert f"{seconds} s" in caught.value.detail


def test_sign_in_has_a_bucket_of_5_for_the_email_and_of_30_for_the_address() -> None:
    buckets = throttle.sign_in_buckets("a@b.example", "192.0.2.1")
    assert buckets["email_bucket"] != buckets["address_bucket"]
    assert (buckets["email_capacity"], buckets["address_capacity"]) == (5, 30)
    assert throttle.sign_in_buckets("192.0.2.1", "")["email_bucket"] != buckets["address_bucket"]
