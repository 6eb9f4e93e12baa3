"""Random strings: from random.org where a key is set, else from the operating system's CSPRNG."""

import json
import os
import string
from collections import deque

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
    """`generateStrings` of random.org's JSON-RPC API, release 4."""
    import urllib.request  # 20 ms that nobody without a key need pay at a cold start
    from http.client import HTTPException

    params = {"apiKey": key, "n": count, "length": LENGTH, "characters": ALPHABET}
    body = {"jsonrpc": "2.0", "method": "generateStrings", "params": params, "id": 1}
    request = urllib.request.Request(
        ENDPOINT, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  a constant URL
                strings = json.load(answer)["result"]["random"]["data"]
        except (OSError, HTTPException, ValueError, KeyError, TypeError):
            continue
        if isinstance(strings, list) and len(strings) == count and all(_well_formed(s) for s in strings):
            return strings
    raise ServiceUnavailable("random.org gives no random strings just now.", headers={"Retry-After": "30"})


def _well_formed(text: object) -> bool:
    return isinstance(text, str) and len(text) == LENGTH and text.isascii() and text.isalnum()
