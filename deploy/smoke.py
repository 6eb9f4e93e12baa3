"""Checks a deployed service without charging anybody: `URL=https://… python -m deploy.smoke`.

Signs in as the default client, with `CLIENT_PASSWORD`, and sends a division by zero: the call goes through
the API, the database, the tokens and the calculator, and the service refuses it (422) before it charges.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

CLIENT = "defaultclient@client.as"
TIMEOUT_SECONDS = 30
"""More than a function may take, so that a slow one answers with its own error."""


class SmokeFailed(Exception):
    """The service gave another answer than a healthy one gives."""


def main() -> None:
    url, password = os.environ.get("URL", "").rstrip("/"), os.environ.get("CLIENT_PASSWORD", "")
    if not url or not password:
        sys.exit("Set URL=https://… and CLIENT_PASSWORD=…, the default client's.")
    try:
        check(url, password)
    except SmokeFailed as error:
        sys.exit(f"The smoke test of {url} failed: {error}")
    print(f"{url} signs in, refuses a bad call and charges nothing for it.")


def check(url: str, password: str) -> None:
    """Raises: SmokeFailed."""
    expect(200, "GET", f"{url}/health")
    _, headers = expect(200, "POST", f"{url}/login", {"email": CLIENT, "password": password})
    token = access_token(headers)
    me, _ = expect(200, "GET", f"{url}/api/v1/users/me", token=token)
    impossible = {"type": "division", "arguments": [1, 0]}
    expect(422, "POST", f"{url}/api/v1/process_operation", impossible, token=token)
    me_after, _ = expect(200, "GET", f"{url}/api/v1/users/me", token=token)
    if me_after["balance"] != me["balance"]:
        raise SmokeFailed(f"a refused call changed the balance from {me['balance']} to {me_after['balance']}")


def access_token(headers: Message) -> str:
    """Return the token of the cookie that a sign-in sets. Raises: SmokeFailed without one."""
    for header in headers.get_all("Set-Cookie", []):
        # Not by http.cookies: before Python 3.14 it drops a cookie that is Partitioned.
        name, _, value = header.partition(";")[0].partition("=")
        if name == "access_token_cookie":
            return str(value)
    raise SmokeFailed("/login answers without a cookie access_token_cookie")


def expect(
    status: int, method: str, url: str, body: object = None, token: str | None = None
) -> tuple[Any, Message]:
    """Send a request, and return the JSON and the headers of its answer.

    Raises: SmokeFailed when the answer has another status or no JSON, or when there is none.
    """
    request = urllib.request.Request(url, method=method)  # noqa: S310  (the deployer's URL)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            got, headers, content = answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        got, headers, content = refusal.code, refusal.headers, refusal.read()
    except OSError as error:
        raise SmokeFailed(f"{method} {url}: {error}") from None
    if got != status:
        raise SmokeFailed(f"{method} {url} answers {got}, not {status}")
    try:
        return json.loads(content), headers
    except ValueError:
        raise SmokeFailed(f"{method} {url} answers {got} without JSON") from None


if __name__ == "__main__":
    main()
