"""Empty the bucket: CloudFormation can't delete a bucket that contains objects."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def empty_bucket(s3: "S3Client", bucket: str) -> None:
    """Delete every object. Raises: RuntimeError naming the first object that S3 fails to delete."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        if keys := [{"Key": stored["Key"]} for stored in page.get("Contents", [])]:
            done = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})  # type: ignore[typeddict-item]
            for failed in done.get("Errors", []):
                raise RuntimeError(f"{bucket}/{failed.get('Key')} can't be deleted: {failed.get('Message')}")
