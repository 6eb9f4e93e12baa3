"""The offline cloud: API Gateway, S3, SQS, Lambda's event sources and Postgres on one machine."""
