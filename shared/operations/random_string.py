"""The operation `random_string`: from random.org if its API key is set, else from the system's CSPRNG."""

import json
import os
import string
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from shared.errors import ServiceUnavailable
from shared.operations.catalog import operation
from shared.settings import settings
from shared.socket_addresses import skip_unreachable_ipv4

LENGTH = 32
"""Characters of a string: random.org's limit."""
ALPHABET = string.ascii_letters + string.digits
ENDPOINT = "https://api.random.org/json-rpc/4/invoke"
TIMEOUT = 5.0
"""Seconds for each attempt."""
ATTEMPTS = 2
"""Times that a request is sent before random.org counts as unavailable."""
STRINGS_PER_REQUEST_LIMIT = 10_000
"""Strings that random.org returns for one request."""

_LETTER_OF_BYTE = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))
_REJECTED_BYTES = bytes(range(256 - 256 % len(ALPHABET), 256))
"""Bytes to drop: with them, the first letters of the alphabet would be more frequent than the others."""

_ready: deque[str] = deque()


def is_remote() -> bool:
    """Whether strings come from random.org, which has a quota."""
    return settings().random_string_api_key is not None


def next_string() -> str:
    """Return a string of LENGTH letters and digits. Raises: ServiceUnavailable if random.org fails."""
    if not _ready:
        prefetch(1)
    return _ready.popleft()


def prefetch(count: int) -> None:
    """Fetch strings until `count` are ready, in as few requests as random.org allows.

    Raises:
        ServiceUnavailable: random.org returns no response within the timeout, or an invalid one.
    """
    key = settings().random_string_api_key
    while (missing := min(count - len(_ready), STRINGS_PER_REQUEST_LIMIT)) > 0:
        _ready.extend(_generate(missing) if key is None else _fetch(key.get_secret_value(), missing))


def _generate(count: int) -> list[str]:
    """Return `count` strings from the operating system's CSPRNG, each character with the same probability."""
    size, letters = count * LENGTH, ""
    while len(letters) < size:
        letters += os.urandom(size + LENGTH).translate(_LETTER_OF_BYTE, _REJECTED_BYTES).decode("ascii")
    return [letters[start : start + LENGTH] for start in range(0, size, LENGTH)]


def _fetch(key: str, count: int) -> list[str]:
    """Return `count` strings from random.org: `generateStrings` of its JSON-RPC API, release 4.

    Each attempt runs in a thread, so that TIMEOUT limits all of it: a socket's timeout starts again at each
    byte received, and does not include the DNS lookup.
    """
    params = {"apiKey": key, "n": count, "length": LENGTH, "characters": ALPHABET}
    body = json.dumps({"jsonrpc": "2.0", "method": "generateStrings", "params": params, "id": 1}).encode()
    for _ in range(ATTEMPTS):
        results = SimpleQueue[Any]()
        Thread(target=_request_strings, args=(body, results), daemon=True).start()
        with suppress(Empty):
            strings = results.get(timeout=TIMEOUT)
            if isinstance(strings, list) and len(strings) == count and all(_well_formed(s) for s in strings):
                return strings
    raise ServiceUnavailable("random.org is unavailable. Try again later.", retry_after=30)


def _request_strings(body: bytes, results: "SimpleQueue[Any]") -> None:
    """Put the `data` of random.org's response into `results`, or None if there is no valid response."""
    import urllib.request  # takes 20 ms at a cold start; only stacks with an API key need it
    from http.client import HTTPException

    skip_unreachable_ipv4()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(ENDPOINT, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310  a constant URL
            results.put(json.load(response)["result"]["random"]["data"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
        results.put(None)


def _well_formed(text: object) -> bool:
    return isinstance(text, str) and len(text) == LENGTH and text.isascii() and text.isalnum()


# Clients of the predecessor send arguments with every operation.
@operation("random_string", 0, prepare=prefetch, is_remote=is_remote, ignores_arguments=True)
def random_string() -> str:
    """A random string of 32 letters and digits."""
    return next_string()
