"""Read the metrics that were emitted on standard output."""

import json
from typing import Any

import pytest


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the dimensions and metrics of each metrics line that was printed since the last call.

    Assert CloudWatch's format: each line declares exactly the names that it contains.
    """
    lines = list[dict[str, Any]]()
    for line in capsys.readouterr().out.splitlines():
        document = json.loads(line)
        if "_aws" not in document:
            continue
        meta = document.pop("_aws")
        (directive,) = meta["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        metrics = [metric["Name"] for metric in directive["Metrics"]]
        assert isinstance(meta["Timestamp"], int)
        assert directive["Namespace"] == "restcalculator"
        assert set(document) == {*dimensions, *metrics}
        assert all(isinstance(document[name], int | float) for name in metrics)
        lines.append(document)
    return lines
