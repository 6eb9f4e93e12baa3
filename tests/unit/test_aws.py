"""The endpoints that the S3 and SQS clients use."""

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
def test_sqs_client_uses_the_dualstack_endpoint_and_s3_client_the_vpc_endpoint() -> None:
    assert urlsplit(aws.sqs().meta.endpoint_url).hostname == "sqs.eu-west-1.api.aws"
    assert urlsplit(aws.presign_download("results/a.csv", "a.csv")).hostname == "s3.eu-west-1.amazonaws.com"
    assert urlsplit(aws.presign_upload("uploads/a.csv", 1)["url"]).hostname == "s3.eu-west-1.amazonaws.com"


@pytest.mark.usefixtures("on_aws")
def test_debug_log_contains_no_presigned_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (signature,) = parse_qs(urlsplit(aws.presign_download("results/a.csv", "a.csv")).query)["X-Amz-Signature"]
    assert signature not in caplog.text
