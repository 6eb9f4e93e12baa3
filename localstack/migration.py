"""Invokes the function that migrates the database, and signals its success."""

from localstack import lifeline, runtime


def main() -> None:
    runtime.main("migrate")
    lifeline.signal_ready()
