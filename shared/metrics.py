"""Emit business metrics: CloudWatch turns each line of JSON on standard output into metrics.

The form is CloudWatch's embedded metric format ("Specification: Embedded metric format", Amazon CloudWatch
User Guide). Powertools' Metrics writes it too, in three to four times the time (measured: 60 µs a call).
"""

import sys
import time
from decimal import Decimal

from shared import exact_json
from shared.settings import settings


def emit(operation: str | None = None, /, **values: int | Decimal) -> None:
    """Emit business metrics for committed work: what was added since the last line.

    Args:
        operation: the only dimension. CloudWatch bills each value of a dimension as a metric of its own,
            so never use a user's id.
        values: counts and credits by the name of their metric.
    """
    directive = {
        "Namespace": settings().powertools_metrics_namespace,
        "Dimensions": [["operation"] if operation else []],
        "Metrics": [{"Name": name} for name in values],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        **({"operation": operation} if operation else {}),
        **values,
    }
    # One write, so that other lines can't split this one.
    sys.stdout.write(exact_json.dumps(line) + "\n")
