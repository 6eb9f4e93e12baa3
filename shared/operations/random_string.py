"""Random strings: from random.org where a key is set, else from the operating system's CSPRNG."""

import json
import os
import string
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from shared.addresses import skip_unreachable_ipv4
from shared.errors import ServiceUnavailable
from shared.settings import settings

LENGTH = 32
"""Characters: the most that random.org gives in one string."""
ALPHABET = string.ascii_letters + string.digits
ENDPOINT = "https://api.random.org/json-rpc/4/invoke"
TIMEOUT = 5.0
TRIES = 2
MOST_AT_ONCE = 10_000

_LETTER_OF_BYTE = bytes(ord(ALPHABET[byte % len(ALPHABET)]) for byte in range(256))
_UNEVEN = bytes(range(256 - 256 % len(ALPHABET), 256))

_ready: deque[str] = deque()


def is_remote() -> bool:
    """Whether strings come from random.org."""
    return settings().random_string_api_key is not None


def next_string() -> str:
    """A string of LENGTH letters and digits. Raises: ServiceUnavailable when random.org fails."""
    if not _ready:
        prefetch(1)
    return _ready.popleft()


def prefetch(count: int) -> None:
    """Ready what `count` coming strings need, in as few calls as random.org allows.

    Raises:
        ServiceUnavailable: it does not answer, or not with strings.
    """
    key = settings().random_string_api_key
    while (missing := min(count - len(_ready), MOST_AT_ONCE)) > 0:
        _ready.extend(_own(missing) if key is None else _fetch(key.get_secret_value(), missing))


def _own(count: int) -> list[str]:
    """Every byte below 248 is one of 62 characters, each as likely; the few others are dropped."""
    size, letters = count * LENGTH, ""
    while len(letters) < size:
        letters += os.urandom(size + LENGTH).translate(_LETTER_OF_BYTE, _UNEVEN).decode("ascii")
    return [letters[start : start + LENGTH] for start in range(0, size, LENGTH)]


def _fetch(key: str, count: int) -> list[str]:
    """`generateStrings` of random.org's JSON-RPC API, release 4.

    A thread asks, so that TIMEOUT bounds all of a try: a socket's own limit begins anew at each byte, and
    knows nothing of a name that is being looked up.
    """
    params = {"apiKey": key, "n": count, "length": LENGTH, "characters": ALPHABET}
    body = json.dumps({"jsonrpc": "2.0", "method": "generateStrings", "params": params, "id": 1}).encode()
    for _ in range(TRIES):
        answers = SimpleQueue[Any]()
        Thread(target=_ask, args=(body, answers), daemon=True).start()
        with suppress(Empty):
            strings = answers.get(timeout=TIMEOUT)
            if isinstance(strings, list) and len(strings) == count and all(_well_formed(s) for s in strings):
                return strings
    raise ServiceUnavailable("random.org gives no random strings just now.", headers={"Retry-After": "30"})


def _ask(body: bytes, answers: "SimpleQueue[Any]") -> None:
    """Put the `data` of random.org's response into `answers`, or None when there is no valid response."""
    import urllib.request  # 20 ms of a cold start that only a stack with a key has to pay
    from http.client import HTTPException

    skip_unreachable_ipv4()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(ENDPOINT, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  a constant URL
            answers.put(json.load(answer)["result"]["random"]["data"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError):
        answers.put(None)


def _well_formed(text: object) -> bool:
    return isinstance(text, str) and len(text) == LENGTH and text.isascii() and text.isalnum()
