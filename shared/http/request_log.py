"""Write one JSON line on standard output for each request.

The fields are those of Powertools' Logger, which writes errors. It takes 70 µs for such a line, a tenth
of a charge's processor time in the function. This takes 7 µs.
"""

import json
import os
import sys
import time
from typing import Any

SERVICE = "restcalculator"

_encode = json.JSONEncoder(separators=(",", ":")).encode


def write(request_id: str, route: str | None, status: int, milliseconds: float) -> None:
    """Write the line of a request that has been responded to."""
    now = time.time()
    line: dict[str, Any] = {
        "level": "INFO",
        "location": __name__,
        "message": "response",
        "timestamp": time.strftime(f"%Y-%m-%d %H:%M:%S,{int(now % 1 * 1000):03}%z", time.localtime(now)),
        "service": SERVICE,
        "correlation_id": request_id,
        "route": route,
        "status": status,
        "ms": round(milliseconds, 1),
    }
    if trace := os.environ.get("_X_AMZN_TRACE_ID"):
        line["xray_trace_id"] = trace.partition(";")[0].removeprefix("Root=")
    # Write the line at once, so that no other output splits it.
    sys.stdout.write(_encode(line) + "\n")
    sys.stdout.flush()
