"""The service itself: its health, its OpenAPI document and its pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from restcalc._async.connection import AsyncConnection
from restcalc.models import Health


class AsyncService(AsyncConnection):
    """The routes that need no sign-in."""

    async def get_health(self) -> Health:
        """Check the service and its database."""
        return await self._get(Health, "/health")

    async def get_open_api(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return await self._get(dict[str, Any], "/openapi.json")

    async def get_docs_page(self) -> str:
        """Return the HTML page that documents the API."""
        return (await self._read("/docs")).decode()

    async def get_console(self) -> str:
        """Return the HTML page of the console."""
        return (await self._read("/")).decode()

    async def get_console_asset(self, file: str) -> bytes:
        """Return a file that the page of the console loads."""
        return await self._read(f"/assets/{quote(file, safe='')}")
