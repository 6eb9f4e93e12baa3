"""Check a deployed service without a charge: `URL=https://… python -m deploy.smoke`.

Signs in as the default client with `CLIENT_PASSWORD` and sends a division by zero. The call reaches the API,
the database, the tokens and the calculator, and the service rejects it with 422 before it charges.
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
"""Longer than a function's timeout, so that the smoke test receives the function's own error."""


class SmokeFailed(Exception):
    """A response differs from that of a healthy service."""


def main() -> None:
    url, password = os.environ.get("URL", "").rstrip("/"), os.environ.get("CLIENT_PASSWORD", "")
    if not url or not password:
        sys.exit("Set URL=https://… and CLIENT_PASSWORD=…, the default client's password.")
    try:
        check(url, password)
    except SmokeFailed as error:
        sys.exit(f"The smoke test of {url} failed: {error}")
    print(f"{url} accepts a sign-in, rejects an invalid call and does not charge for it.")


def check(url: str, password: str) -> None:
    """Run the checks. Raises: SmokeFailed at the first unexpected response."""
    expect(200, "GET", f"{url}/health")
    _, headers = expect(200, "POST", f"{url}/login", {"email": CLIENT, "password": password})
    token = access_token(headers)
    me, _ = expect(200, "GET", f"{url}/api/v1/users/me", token=token)
    impossible = {"type": "division", "arguments": [1, 0]}
    expect(422, "POST", f"{url}/api/v1/process_operation", impossible, token=token)
    me_after, _ = expect(200, "GET", f"{url}/api/v1/users/me", token=token)
    if me_after["balance"] != me["balance"]:
        raise SmokeFailed(
            f"a rejected call changed the balance from {me['balance']} to {me_after['balance']}"
        )


def access_token(headers: Message) -> str:
    """Return the access token from a sign-in's cookie. Raises: SmokeFailed if the cookie is missing."""
    for header in headers.get_all("Set-Cookie", []):
        # http.cookies drops a Partitioned cookie before Python 3.14.
        name, _, value = header.partition(";")[0].partition("=")
        if name == "access_token_cookie":
            return str(value)
    raise SmokeFailed("/login returns no cookie access_token_cookie")


def expect(
    status: int, method: str, url: str, body: object = None, token: str | None = None
) -> tuple[Any, Message]:
    """Send a request, and return the JSON and the headers of the response.

    Raises: SmokeFailed if the request fails, or the response has another status or is not JSON.
    """
    request = urllib.request.Request(url, method=method)  # noqa: S310  (the deployer's URL)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            received, headers, content = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        received, headers, content = error.code, error.headers, error.read()
    except OSError as error:
        raise SmokeFailed(f"{method} {url}: {error}") from None
    if received != status:
        raise SmokeFailed(f"{method} {url} returns {received}, not {status}")
    try:
        return json.loads(content), headers
    except ValueError:
        raise SmokeFailed(f"{method} {url} returns {received} without JSON") from None


if __name__ == "__main__":
    main()
