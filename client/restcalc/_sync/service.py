"""The service itself: its health, its OpenAPI document and its pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from restcalc._sync.connection import Connection
from restcalc.models import Health


class Service(Connection):
    """The routes that need no sign-in."""

    def get_health(self) -> Health:
        """Check the service and its database."""
        return self._get(Health, "/health")

    def get_open_api(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return self._get(dict[str, Any], "/openapi.json")

    def get_docs_page(self) -> str:
        """Return the HTML page that documents the API."""
        return (self._read("/docs")).decode()

    def get_console(self) -> str:
        """Return the HTML page of the console."""
        return (self._read("/")).decode()

    def get_console_asset(self, file: str) -> bytes:
        """Return a file that the page of the console loads."""
        return self._read(f"/assets/{quote(file, safe='')}")
