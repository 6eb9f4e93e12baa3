"""The CORS headers that an HTTP API adds itself, independent of its functions' responses.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

# The headers that the Serverless Framework allows for `cors: true`.
_DEFAULT_HEADERS = (
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
)


@dataclass(frozen=True)
class Cors:
    """The API's CORS settings; `max_age` in seconds."""

    origins: tuple[str, ...] = ("*",)
    headers: tuple[str, ...] = _DEFAULT_HEADERS
    methods: tuple[str, ...] = ("*",)
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None

    @classmethod
    def declared(cls, cors: Mapping[str, Any] | bool | None) -> Self | None:
        """Parse `provider.httpApi.cors` of serverless.yml, with its variables resolved."""
        if not cors:
            return None
        if cors is True:
            return cls()
        return cls(
            origins=tuple(cors.get("allowedOrigins", ("*",))),
            headers=tuple(cors.get("allowedHeaders", _DEFAULT_HEADERS)),
            methods=tuple(cors.get("allowedMethods", ("*",))),
            exposed=tuple(cors.get("exposedResponseHeaders", ())),
            credentials=bool(cors.get("allowCredentials", False)),
            max_age=cors.get("maxAge"),
        )

    def preflight_headers(self, origin: str) -> list[tuple[str, str]]:
        """Return the headers of the response to an OPTIONS request; none if `origin` is not allowed."""
        if not self._allows(origin):
            return []
        headers = self._origin_headers(origin)
        headers.append(("Access-Control-Allow-Methods", ",".join(self.methods)))
        headers.append(("Access-Control-Allow-Headers", ",".join(self.headers)))
        if self.max_age is not None:
            headers.append(("Access-Control-Max-Age", str(self.max_age)))
        return headers

    def response_headers(self, origin: str) -> list[tuple[str, str]]:
        """Return the headers that the API adds to a function's response for `origin`."""
        if not self._allows(origin):
            return []
        headers = self._origin_headers(origin)
        if self.exposed:
            headers.append(("Access-Control-Expose-Headers", ",".join(self.exposed)))
        return headers

    def _allows(self, origin: str) -> bool:
        return bool(origin) and ("*" in self.origins or origin in self.origins)

    def _origin_headers(self, origin: str) -> list[tuple[str, str]]:
        headers = [("Access-Control-Allow-Origin", "*" if "*" in self.origins else origin)]
        if self.credentials:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        return headers
