"""Query plans, as EXPLAIN (ANALYZE, FORMAT JSON) returns them."""

from collections.abc import Iterator
from typing import Any

Plan = dict[str, Any]


def steps(plan: Plan) -> Iterator[Plan]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from steps(part)


def rows_read(plan: Plan, table: str) -> Any:
    """Return the number of rows of the table that the plan read, including those that a filter removed."""
    return sum(
        step["Actual Loops"] * (step["Actual Rows"] + step.get("Rows Removed by Filter", 0))
        for step in steps(plan)
        if step.get("Relation Name") == table
    )


def is_in_index_order(plan: Plan) -> bool:
    """Return whether the plan neither sorts nor reads a whole table, except the small one of operations."""
    return all(
        step["Node Type"] != "Sort"
        and (step["Node Type"] != "Seq Scan" or step["Relation Name"] == "operations")
        for step in steps(plan)
    )
