"""Read the metrics that were emitted on standard output."""

import json
from typing import Any

import pytest


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Each line of metrics since the last look: its dimensions' and metrics' values.

    What CloudWatch asks of the form is asserted: each name that the line declares is in it, and what is
    in it is declared.
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
