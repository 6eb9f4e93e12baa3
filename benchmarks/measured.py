"""Read the medians in benchmarks/results.json from which other tables are computed."""

import json
import sys

from benchmarks.report import RESULTS

MODULES = {"calls": "benchmarks.load", "charge": "benchmarks.charge", "batch": "benchmarks.batch"}


class Measured:
    """The measured medians: `_ms` in milliseconds, `_us` in microseconds, `_bytes` in bytes, others a second.

    Raises:
        SystemExit: a benchmark has not run yet; the message names it.
    """

    def __init__(self) -> None:
        self._results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
        self.charge_ms = self._median("calls", "charge: Postgres's processor")
        self.page_ms = self._median("calls", "page: Postgres's processor")
        self.call_ms = (self.charge_ms + self.page_ms) / 2
        self.function_ms = self._median("calls", "both: gateway's processor")
        self.log_bytes = self._median("calls", "charge: write-ahead log")
        self.growth_bytes = self._median("calls", "charge: the database's growth")
        self.waiting_ms = 1000 / self._median("charge", "pgbench, 1,000 accounts, 1 at once")
        self.one_account = self._median("charge", "pgbench, one account, 8 at once")
        self.worker_us = self._median("batch", "the worker's processor time")
        self.row_us = self._median("batch", "Postgres' processor time")
        self.row_log_bytes = self._median("batch", "write-ahead log")
        self.row_bytes = self._median("batch", "a record on disk, its indexes included")
        self.calls_by, self.charge_by, self.batch_by = (
            f"(`{self._results[name]['command']}`)" for name in ("calls", "charge", "batch")
        )

    def _median(self, benchmark: str, what: str) -> float:
        rows = self._results.get(benchmark, {"rows": []})["rows"]
        found = next((row["median"] for row in rows if row["what"] == what), None)
        if found is None:
            sys.exit(f"“{what}” was not measured yet: python -m {MODULES[benchmark]}")
        return float(found)
