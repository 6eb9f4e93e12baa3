"""Webhooks: where the service sends the events of the caller's account."""

from __future__ import annotations

from collections.abc import Iterable

from restcalc._sync.connection import Connection
from restcalc._sync.rows import Rows
from restcalc.calls import UNCHANGED, Call, Id, Unchanged, path
from restcalc.lists import Filter, Names
from restcalc.models import Webhook, WebhookDelivery, WebhookWithSecret


class Webhooks(Connection):
    """The routes of webhooks. Those that change something need a session."""

    def list_webhooks(
        self,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> Rows[Webhook]:
        """List the caller's webhooks."""
        return self._list(Webhook, "webhooks", filters, sort=sort, fields=fields, page_size=page_size)

    def get_webhook(self, id: Id) -> Webhook:
        """Return a webhook of the caller, without its secret."""
        return self._get(Webhook, path("webhooks", id))

    def create_webhook(
        self,
        url: str,
        events: Iterable[str],
        *,
        description: str | None = None,
    ) -> WebhookWithSecret:
        """Create a webhook. The secret of the returned one verifies the signatures of its requests.

        Args:
            url: https, to a public host.
            events: such as "task.completed".
        """
        body = {"url": url, "events": list(events), "description": description}
        return self._call(WebhookWithSecret, Call("POST", path("webhooks"), body=body))

    def update_webhook(
        self,
        id: Id,
        *,
        url: str | Unchanged = UNCHANGED,
        events: Iterable[str] | Unchanged = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
        paused: bool | Unchanged = UNCHANGED,
    ) -> Webhook:
        """Change a webhook. `paused=False` also ends a pause of a URL that failed.

        A description of None removes it.
        """
        body = {
            "url": url,
            "events": events if isinstance(events, Unchanged) else list(events),
            "description": description,
            "paused": paused,
        }
        return self._call(Webhook, Call("PATCH", path("webhooks", id), body=body, repeatable=True))

    def delete_webhook(self, id: Id) -> None:
        """Delete a webhook."""
        self._delete(path("webhooks", id))

    def rotate_webhook_secret(self, id: Id) -> WebhookWithSecret:
        """Replace the secret of a webhook. The previous one signs too for a day."""
        return self._call(WebhookWithSecret, Call("POST", path("webhooks", id, "rotate_secret")))

    def test_webhook(self, id: Id) -> WebhookDelivery:
        """Send a test event to a webhook."""
        return self._call(WebhookDelivery, Call("POST", path("webhooks", id, "test")))

    def list_webhook_deliveries(
        self,
        id: Id,
        *,
        sort: Names | None = None,
        fields: Names | None = None,
        page_size: int = 100,
        **filters: Filter,
    ) -> Rows[WebhookDelivery]:
        """List the deliveries of a webhook with their attempts."""
        return self._list(
            WebhookDelivery,
            "deliveries",
            filters,
            below=("webhooks", id),
            sort=sort,
            fields=fields,
            page_size=page_size,
        )

    def redeliver_webhook(self, id: Id, delivery_id: Id) -> WebhookDelivery:
        """Send an event to a webhook again."""
        call = Call("POST", path("webhooks", id, "deliveries", delivery_id, "redeliver"), repeatable=True)
        return self._call(WebhookDelivery, call)
