"""Compute the cost of a million calls and of a million rows, here and on containers that always run.

The input is `benchmarks/results.json`, as for `benchmarks.capacity`. The database, logs and storage cost the
same everywhere, so they are left out. Prices are list prices of us-east-1, November 2026.
"""

import math
from collections.abc import Callable, Sequence

from benchmarks import money
from benchmarks.measured import Measured
from benchmarks.report import COST_PLOT, figure, write

HTTP_API, LAMBDA_REQUEST = 1.00, 0.20
"""Dollars a million calls (https://aws.amazon.com/api-gateway/pricing, https://aws.amazon.com/lambda/pricing)."""
VCPU_HOUR, GB_HOUR = 0.03238, 0.00356
"""Dollars of Fargate on arm64 (https://aws.amazon.com/fargate/pricing)."""
BALANCER_HOUR = 0.0225
"""Dollars of an Application Load Balancer (https://aws.amazon.com/elasticloadbalancing/pricing)."""
BALANCER_UNIT_HOUR, UNIT_CALLS = 0.008, 25.0
"""Dollars of a load balancer's capacity unit, and the new connections a second that it includes."""
VCPUS, GB = 0.5, 1.0
"""Size of a container."""
CONTAINERS = 2
"""Least number of containers: one in each of two zones, as Lambda has."""
MAX_UTILIZATION = 0.6
"""Share of a container's processors that may be busy at the peak."""
PEAK = 3
"""Calls a second at the peak, as a multiple of the month's average."""

PREDECESSOR_CALLS = 53 / 2
"""Charges a second of one processor of the predecessor: 53 with 16 callers, 2 processes and 2 processors.

Its own code was measured in November 2026 with gunicorn. This module does not repeat that measurement.
"""
PREDECESSOR_ROWS = 31
"""Rows a second of the predecessor's worker, measured in the same way."""

HOURS = money.MONTH_SECONDS / 3600
MONTHLY_CALLS = tuple(10**exponent for exponent in range(4, 11))
HERE, CONTAINER, PREDECESSOR = "this service", "its code in containers", "the predecessor in containers"
POINTS = [10 ** (4 + step / 100) for step in range(601)]
"""Calls a month, from 10,000 to 10 billion, in steps of 2 %."""


def main() -> None:
    measured = Measured()
    write_table(measured)
    _plot(monthly_costs(measured))


def write_table(measured: Measured) -> None:
    costs = monthly_costs(measured)
    lines: list[Sequence[str]] = [("calls a month", *costs), ["---"] * (len(costs) + 1)]
    lines += [(f"{calls:,}", *(f"${of(calls):,.2f}" for of in costs.values())) for calls in MONTHLY_CALLS]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    write("cost", [], command="python -m benchmarks.cost", notes=_notes(measured, costs), table=table)


def monthly_costs(measured: Measured) -> dict[str, Callable[[float], float]]:
    """Return, for each way to run the API, the dollars a month as a function of the calls a month."""
    here = million_calls(measured) / 1e6
    return {
        HERE: lambda calls: calls * here,
        CONTAINER: lambda calls: containers(calls, 1000 / measured.function_ms),
        PREDECESSOR: lambda calls: containers(calls, PREDECESSOR_CALLS),
    }


def million_calls(measured: Measured) -> float:
    """Return the dollars of a million calls on Lambda."""
    milliseconds = money.billed(measured.function_ms, measured.waiting_ms)
    return HTTP_API + LAMBDA_REQUEST + money.million(milliseconds)


def million_rows(measured: Measured) -> float:
    """Return the dollars of a million rows of files on Lambda."""
    return money.million(money.billed(measured.worker_us / 1000, memory=money.WORKER), money.WORKER)


def containers(calls: float, calls_per_processor: float) -> float:
    """Return the dollars a month of a load balancer and containers that always run.

    Args:
        calls: calls a month.
        calls_per_processor: calls a second that keep one processor busy.
    """
    peak = PEAK * calls / money.MONTH_SECONDS
    count = max(CONTAINERS, math.ceil(peak / (calls_per_processor * VCPUS * MAX_UTILIZATION)))
    units = calls / money.MONTH_SECONDS / UNIT_CALLS
    return HOURS * (count * container_hour() + BALANCER_HOUR + units * BALANCER_UNIT_HOUR)


def container_hour(vcpus: float = VCPUS, gb: float = GB) -> float:
    return vcpus * VCPU_HOUR + gb * GB_HOUR


def crossing(left: Callable[[float], float], right: Callable[[float], float]) -> float:
    """Return the calls a month above which `left` costs more than `right` and stays dearer, or infinity."""
    cheaper = [calls for calls in POINTS if left(calls) <= right(calls)]
    return math.inf if not cheaper or cheaper[-1] == POINTS[-1] else cheaper[-1]


def _notes(measured: Measured, costs: dict[str, Callable[[float], float]]) -> Sequence[str]:
    worker_hours = 1e6 / PREDECESSOR_ROWS / 3600
    crossings = "; ".join(
        f"{name}: {_calls(crossing(costs[HERE], costs[name]))}" for name in (CONTAINER, PREDECESSOR)
    )
    return (
        f"A million calls here cost **{_cents(million_calls(measured))}**: {_cents(HTTP_API)} for the HTTP"
        f" API, {_cents(LAMBDA_REQUEST)} for Lambda's requests, and the rest for"
        f" {figure(money.billed(measured.function_ms, measured.waiting_ms))} ms of a function with"
        f" {money.FUNCTION} MB ({figure(measured.function_ms)} ms of a whole processor {measured.calls_by},"
        f" {figure(measured.waiting_ms)} ms of waiting {measured.charge_by}).",
        f"A million rows here cost **{_cents(million_rows(measured))}**: {figure(measured.worker_us)} µs of a"
        f" whole processor a row {measured.batch_by}. The predecessor's worker computes {PREDECESSOR_ROWS}"
        f" rows a second, so a million take {figure(worker_hours)} hours, or"
        f" {_cents(worker_hours * container_hour())} of a container; a worker that always runs costs"
        f" ${HOURS * container_hour():,.2f} a month, with and without rows.",
        f"Containers: {VCPUS} vCPU and {GB:g} GB each on Fargate (arm64), at least {CONTAINERS}, at most"
        f" {MAX_UTILIZATION:.0%} busy at a peak of {PEAK} times the average, behind a load balancer. One"
        f" processor serves {figure(1000 / measured.function_ms)} calls a second of this code, and"
        f" {figure(PREDECESSOR_CALLS)} of the predecessor, whose code was measured once, in November 2026.",
        f"**Crossing points**, the calls a month above which containers cost less: {crossings}.",
    )


def _cents(dollars: float) -> str:
    return f"{figure(100 * dollars)} cents"


def _calls(calls: float) -> str:
    return "none up to 10 billion" if math.isinf(calls) else f"{calls / 1e6:,.0f} million"


def _plot(costs: dict[str, Callable[[float], float]]) -> None:
    # Imported here, because it adds an import hook without `find_spec`, about which later imports warn.
    import pygal
    from pygal.style import CleanStyle

    chart = pygal.XY(
        title="Dollars a month over calls a month, without the database",
        logarithmic=True,
        x_labels=MONTHLY_CALLS,
        y_labels=[10**exponent for exponent in range(-2, 6)],
        value_formatter="{:,g}".format,
        x_value_formatter="{:,.0f}".format,
        style=CleanStyle(colors=("#1f6feb", "#2a8f4f", "#d1682a")),
        js=(),
        show_dots=False,
        width=800,
        height=450,
        legend_at_bottom=True,
        x_label_rotation=20,
    )
    for name, of in costs.items():
        chart.add(name, [(calls, of(calls)) for calls in POINTS])
    COST_PLOT.write_bytes(chart.render())


if __name__ == "__main__":
    main()
