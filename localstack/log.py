"""Write the output of all parts as readable lines to the log file and the terminal."""

import json
import logging
import logging.handlers
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Fields that Powertools' Logger adds to every line. They are left out of readable lines.
_ROUTINE = frozenset(
    {"level", "location", "message", "timestamp", "service", "cold_start", "correlation_id", "xray_trace_id"}
    | {"function_name", "function_memory_size", "function_arn", "function_request_id", "sampling_rate"}
    | {"exception", "exception_name", "stack_trace"}
)


class LogFile:
    """Writes the lines of all parts to a rotating file, and passes those that are not quiet to `on_line`."""

    def __init__(self, path: Path, on_line: Callable[[str], None] = lambda line: None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._on_line = on_line
        self._file = logging.handlers.RotatingFileHandler(
            path, maxBytes=10_000_000, backupCount=2, encoding="utf-8"
        )

    def write(self, part: str, line: str, *, quiet: bool = False) -> None:
        for text in readable(line).splitlines():
            entry = f"{time.strftime('%H:%M:%S')} {part:<8} {text}"
            self._file.emit(logging.makeLogRecord({"msg": "%s", "args": (entry,)}))
            if not quiet:
                self._on_line(entry)

    def close(self) -> None:
        self._file.close()


def readable(line: str) -> str:
    """Format a JSON line of Powertools' Logger or Metrics. Return other lines unchanged.

    Returns "" for a function's line about its response, because the gateway's access log has the same fields
    and the path.
    """
    if line.startswith("{"):
        try:
            document = json.loads(line)
        except ValueError:
            return line
        if "_aws" in document:
            return _metrics(document)
        if document.get("message") == "response" and "route" in document:
            return ""
        if "message" in document:
            return _log(document)
    return line


def _log(document: dict[str, Any]) -> str:
    parts = [str(document.get("level", "INFO")), _text(document["message"])]
    parts += [f"{name}={_text(value)}" for name, value in document.items() if name not in _ROUTINE]
    if request := document.get("correlation_id"):
        parts.append(f"[{request}]")
    trace = document.get("exception")
    return " ".join(parts) + (f"\n{trace}" if trace else "")


def _metrics(document: dict[str, Any]) -> str:
    directives = document["_aws"].get("CloudWatchMetrics", [])
    dimensions = [names for directive in directives for names in directive.get("Dimensions", [])]
    names = [name for dimension_set in dimensions for name in dimension_set]
    names += [metric["Name"] for directive in directives for metric in directive.get("Metrics", [])]
    return "metrics " + " ".join(f"{name}={_number(document.get(name))}" for name in names)


def _number(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return ",".join(f"{item:g}" if isinstance(item, int | float) else str(item) for item in values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
