"""The console's files: its build writes each one plain and compressed (`a.js`, `a.js.br`, `a.js.gz`)."""

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "build" / "console"

_SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""The suffix of a compressed file by its content coding, the smallest first."""
_WEIGHT_OF_ZERO = re.compile(r"q=0(\.0*)?")


def read(file: Path, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return the smallest form of a file that the client accepts, and the headers that describe the form."""
    headers = {"Vary": "Accept-Encoding"}
    accepted = _accepted(accept_encoding)
    for coding, suffix in _SUFFIXES.items():
        compressed = file.with_name(file.name + suffix)
        if coding in accepted and compressed.is_file():
            return compressed.read_bytes(), {**headers, "Content-Encoding": coding}
    return file.read_bytes(), headers


def _accepted(accept_encoding: str) -> set[str]:
    """Return the content codings in an Accept-Encoding header, without those of weight 0."""
    codings = (part.partition(";") for part in accept_encoding.lower().replace(" ", "").split(","))
    return {coding for coding, _, weight in codings if not _WEIGHT_OF_ZERO.fullmatch(weight)}
