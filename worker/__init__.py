"""The batch: from an SQS message about a new file to its last row billed and its results written."""
