"""Compare what a page shows with what its commands printed."""

import re
from difflib import unified_diff

ANY_LINES, ANY_TEXT = "…\n", "…"
VARYING = {
    "<id>": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    "<time>": r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|\b[+-]\d\d:?\d\d|\b)",
    "<date>": r"\b\d{4}-\d\d-\d\d\b",
    "<token>": r"(?<![\w-])(?=[\w-]*[A-Z\d])[\w-]{30,}",
    "<run>": r"(?<=-)\d{9,}-\d+(?=@)",
    "<duration>": r"\b\d+(?:\.\d+)?(?= ?(?:µs|ms|s|seconds?)\b)",
    "<port>": r"(?<=localhost:)\d+|(?<=127\.0\.0\.1:)\d+",
}
"""Patterns of what differs between two runs, by what replaces it."""


def difference(shown: str, printed: str) -> str:
    """Return "" if the output is as shown, otherwise a diff of both.

    In the shown text, `…` stands for any text within a line, and a line of `…` for any lines.
    """
    shown, printed = normalised(shown), normalised(printed)
    pattern = "".join(
        r"(?:.*\n)*" if line == ANY_LINES else r"[^\n]*".join(map(re.escape, line.split(ANY_TEXT)))
        for line in shown.splitlines(keepends=True)
    )
    if re.fullmatch(pattern, printed):
        return ""
    lines = (text.splitlines(keepends=True) for text in (shown, printed))
    return "".join(unified_diff(*lines, "shown", "printed", n=1))


def normalised(text: str) -> str:
    for replacement, pattern in VARYING.items():
        text = re.sub(pattern, replacement, text)
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "".join(f"{line}\n" for line in lines)
