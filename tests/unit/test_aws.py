"""The endpoints that the S3 and SQS clients use."""

import logging
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from shared import aws
from shared.settings import settings


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


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1"])
@pytest.mark.usefixtures("on_aws")
def test_presigned_urls_begin_with_the_url_of_the_bucket_in_the_settings(
    environment: pytest.MonkeyPatch, region: str
) -> None:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # Lambda sets both
        environment.setenv(variable, region)
    assert aws.presign_upload("uploads/a.csv", 1)["url"] == settings().bucket_url
    assert aws.presign_download("results/a.csv", "a.csv").startswith(
        f"{settings().bucket_url}/results/a.csv?"
    )


@pytest.mark.usefixtures("on_aws")
def test_debug_log_contains_no_presigned_signature(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (signature,) = parse_qs(urlsplit(aws.presign_download("results/a.csv", "a.csv")).query)["X-Amz-Signature"]
    assert signature not in caplog.text
