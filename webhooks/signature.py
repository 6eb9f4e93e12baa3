"""Sign webhooks as the Standard Webhooks specification 1.0 defines.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"  # noqa: S105  (not a secret)


def sign(secrets: Iterable[str], message_id: str, timestamp: int, body: str) -> str:
    """Return the value of the header `webhook-signature`: a signature by each secret.

    Args:
        secrets: the current secret, and the previous ones while they are valid, so that receivers can change
            theirs at any time of the rotation.
        timestamp: seconds since 1970.
    """
    content = f"{message_id}.{timestamp}.{body}".encode()
    return " ".join(f"v1,{_signature(secret, content)}" for secret in secrets)


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
