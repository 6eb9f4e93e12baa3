"""Sends calls: signs them, repeats those that failed, and refreshes an expired session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from urllib.parse import urlsplit

from restcalc import retries
from restcalc._async.rows import AsyncRows
from restcalc._async.runtime import new_lock, sleep
from restcalc.calls import Call, SessionTokens, http_options, parse, path
from restcalc.errors import NotSignedIn, RestcalcError
from restcalc.lists import Filter, Names, list_query, page_type
from restcalc.models import Page
from restcalc.problems import error_of, session_expired, unreachable
from restcalc.settings import service_url, valid_api_key

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class AsyncConnection:
    """A connection to one deployment of the service."""

    def __init__(
        self, url: str | None = None, *, api_key: str | None = None, timeout: float = 30.0, retries: int = 5
    ) -> None:
        """Args:
        url: the URL of the service. By default RESTCALC_URL, or that of `make up`.
        api_key: an API key. By default RESTCALC_API_KEY. Empty for none.
        timeout: seconds to wait for a connection, and for each part of a response.
        retries: how often a call that failed is sent again.
        """
        self.url = service_url(url or os.environ.get("RESTCALC_URL"))
        given_key = os.environ.get("RESTCALC_API_KEY", "") if api_key is None else api_key
        self._api_key = valid_api_key(given_key)
        self._session: SessionTokens | None = None
        self._refreshing = new_lock()
        self._timeout = timeout
        self._retries = retries
        self._clients: dict[tuple[str, ...], httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. The session stays open in the service: use `logout` to end it."""
        while self._clients:
            await self._clients.popitem()[1].aclose()

    async def _call(self, model: type[T], call: Call) -> T:
        """Send a call and parse its response."""
        return parse(await self._send(call), model)

    async def _get(self, model: type[T], path: str, query: Mapping[str, str] | None = None) -> T:
        return await self._call(model, Call("GET", path, query=query or {}, repeatable=True))

    async def _read(self, path: str) -> bytes:
        return (await self._send(Call("GET", path, repeatable=True))).content

    async def _delete(self, path: str) -> None:
        """Delete a resource. If the response to the first attempt was lost, a repeated one gets 404."""
        await self._send(Call("DELETE", path, repeatable=True, done_status=404))

    def _list(
        self,
        model: type[T],
        resource: str,
        filters: Mapping[str, Filter],
        *,
        below: tuple[object, ...] = (),
        fields: Names | None,
        sort: Names | None,
        **options: Filter,
    ) -> AsyncRows[T]:
        """Return the rows of a list, which are requested when they are read.

        Args:
            below: the parts of the path before the resource.
        """
        query = list_query(filters, fields=fields, sort=sort, **options)
        page: type[Page[T]] = page_type(cast(Any, model), resource, query.get("fields"))

        async def fetch(position: Mapping[str, str]) -> Page[T]:
            return await self._call(
                page, Call("GET", path(*below, resource), query={**query, **position}, repeatable=True)
            )

        return AsyncRows(fetch)

    async def _send(self, call: Call) -> httpx.Response:
        """Send a call, and again if it failed, and return the response.

        The response has the call's `done_status` if an earlier attempt may have been carried out.

        Raises: RestcalcError.
        """
        uncertain = False
        for attempt in count():
            try:
                return await self._attempt(call, call.done_status if uncertain else None)
            except RestcalcError as error:
                uncertain = uncertain or error.uncertain
                pause = retries.pause(error, attempt, repeatable=call.repeatable)
                if pause is None or attempt >= self._retries:
                    error.uncertain = uncertain and retries.may_pass(error)
                    error.idempotency_key = call.idempotency_key
                    raise
            await sleep(pause)
        raise AssertionError  # count() has no end

    async def _attempt(self, call: Call, done_status: int | None) -> httpx.Response:
        session = self._session
        response = await self._request(call, session)
        if session and call.bearer is None and session_expired(response):
            await self._refresh(session)
            if self._session is None:  # it has ended; the API key may be another user's
                raise error_of(response)
            response = await self._request(call, self._session)
        if response.is_success or response.status_code == done_status:
            return response
        raise error_of(response)

    async def _request(self, call: Call, session: SessionTokens | None) -> httpx.Response:
        import httpx

        headers = dict(call.headers)
        bearer = (session.access if session else self._api_key) if call.bearer is None else call.bearer
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        content = call.content()
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            return await self._http(self.url).request(
                call.method,
                self.url + call.path,
                params=call.query,
                content=content,
                files=call.files,
                headers=headers,
            )
        except httpx.RequestError as error:
            raise unreachable(self.url, error, changes=call.method != "GET") from error

    async def _refresh(self, expired: SessionTokens) -> None:
        """Refresh the session, unless another caller has done it in the meantime."""
        async with self._refreshing:
            if self._session is expired:
                try:
                    await self._exchange(expired)
                except RestcalcError as error:
                    error.uncertain = False  # the rejected call, which needs new tokens, did nothing
                    raise

    async def _exchange(self, session: SessionTokens) -> httpx.Response:
        """Exchange the refresh token for new tokens. If the service rejects it, the session has ended."""
        try:
            response = await self._send(Call("POST", "/refresh", bearer=session.refresh, repeatable=True))
        except NotSignedIn:
            self._session = None
            raise
        self._session = SessionTokens.of(response)
        return response

    def _http(self, url: str) -> httpx.AsyncClient:
        """Return the HTTP client for a URL's origin."""
        import httpx  # takes longer than all other imports together, so the command line starts without it

        origin = urlsplit(url)[:2]
        if origin not in self._clients:
            self._clients.setdefault(origin, httpx.AsyncClient(**http_options(url, self._timeout)))
        return self._clients[origin]
