"""Where the bucket and the queue are reached."""

import logging
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from shared import aws


@pytest.fixture
def on_aws(environment: pytest.MonkeyPatch) -> Iterator[None]:
    environment.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    environment.setenv("AWS_ACCESS_KEY_ID", "test")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    environment.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    environment.delenv("AWS_ENDPOINT_URL", raising=False)
    clear()
    yield
    aws.s3().close()
    aws.sqs().close()
    clear()


def clear() -> None:
    aws.s3.cache_clear()
    aws.sqs.cache_clear()


@pytest.mark.usefixtures("on_aws")
def test_the_queue_is_reached_by_ipv6_and_the_bucket_through_the_vpcs_own_endpoint() -> None:
    assert urlsplit(aws.sqs().meta.endpoint_url).hostname == "sqs.eu-west-1.api.aws"
    assert urlsplit(aws.presign_download("results/a.csv", "a.csv")).hostname == "s3.eu-west-1.amazonaws.com"
    assert urlsplit(aws.presign_upload("uploads/a.csv", 1)["url"]).hostname == "s3.eu-west-1.amazonaws.com"


@pytest.mark.usefixtures("on_aws")
def test_the_loudest_log_has_no_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (signature,) = parse_qs(urlsplit(aws.presign_download("results/a.csv", "a.csv")).query)["X-Amz-Signature"]
    assert signature not in caplog.text
