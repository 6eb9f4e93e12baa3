"""Imports that every forked worker shares: the worker, and botocore's descriptions of S3 and SQS."""

import boto3

import worker.handler

WORKER = worker.handler
for service in ("s3", "sqs"):
    boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    ).close()
