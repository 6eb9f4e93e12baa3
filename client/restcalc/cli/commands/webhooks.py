"""webhooks: where the service sends your events, and a local receiver."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restcalc.cli.command import command, new_app
from restcalc.cli.commands.lists import LimitOption, add_list
from restcalc.cli.exit_codes import ExitCode
from restcalc.cli.failures import Failure
from restcalc.cli.ids import EXAMPLE_ID, id_argument
from restcalc.cli.invocation import Invocation
from restcalc.cli.prompts import confirm
from restcalc.cli.values import as_text
from restcalc.enums import WebhookEvent

if TYPE_CHECKING:
    from restcalc.models import WebhookWithSecret

FIELDS = ("id", "url", "events", "paused", "paused_reason", "failing_since")
DELIVERY_FIELDS = ("created_at", "type", "status", "next_attempt_at", "last_attempt", "id")
IdArgument = Annotated[str, id_argument("The id of the webhook. `restcalc webhooks list` shows it.")]
EventOption = Annotated[
    list[WebhookEvent] | None,
    typer.Option(
        "--event",
        "-e",
        metavar="EVENT",
        help=f"An event to send: {', '.join(WebhookEvent)}. Repeat it for more.",
    ),
]
DescriptionOption = Annotated[str | None, typer.Option(metavar="TEXT", help="What the webhook is for.")]


def create(
    run: Invocation,
    to: Annotated[str, typer.Argument(metavar="URL", help="https, on a public host.")],
    event: EventOption = None,
    description: DescriptionOption = None,
) -> None:
    """Create a webhook, and print its secret once. Asks for your password.

    Without --event, it gets all events.
    """
    events = list(event or WebhookEvent)
    with run.session() as client:
        created = client.create_webhook(to, events, description=description)
    if run.out.for_people:
        run.out.note(f"The secret of the webhook {created.id} is shown only now. It verifies requests:")
    run.out.result(created.secret, created)


def update(
    run: Invocation,
    id: IdArgument,
    to: Annotated[str | None, typer.Option(metavar="URL", help="The new URL.")] = None,
    event: EventOption = None,
    description: DescriptionOption = None,
    no_description: Annotated[bool, typer.Option("--no-description", help="Remove the description.")] = False,
    pause: Annotated[
        bool | None, typer.Option("--pause/--no-pause", help="Send no events until --no-pause.")
    ] = None,
) -> None:
    """Change or pause a webhook. Asks for your password."""
    changes: dict[str, Any] = {"url": to, "events": event, "description": description, "paused": pause}
    changes = {name: value for name, value in changes.items() if value is not None}
    if no_description and description is not None:
        raise Failure("Give --description or --no-description, not both.", ExitCode.USAGE)
    if no_description:
        changes["description"] = None
    if not changes:
        raise Failure("Say what to change: --to, --event, --description or --pause.", ExitCode.USAGE)
    with run.session() as client:
        webhook = client.update_webhook(id, **changes)
    run.out.done(f"Changed the webhook {id}.", webhook)


def delete(
    run: Invocation,
    id: IdArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete a webhook. Asks for your password."""
    confirm(f"Delete the webhook {id}?", yes=yes)
    with run.session() as client:
        client.delete_webhook(id)
    run.out.done(f"Deleted the webhook {id}.")


def rotate_secret(run: Invocation, id: IdArgument) -> None:
    """Replace the secret of a webhook, and print the new one once. Asks for your password.

    The previous secret signs too for a day.
    """
    with run.session() as client:
        rotated = client.rotate_webhook_secret(id)
    if run.out.for_people:
        expiry = as_text(rotated.previous_secret_expires_at, for_people=True)
        run.out.note(f"The new secret is shown only now. The previous one signs too until {expiry}:")
    run.out.result(rotated.secret, rotated)


def test(run: Invocation, id: IdArgument) -> None:
    """Send a test event to a webhook. Asks for your password."""
    with run.session() as client:
        delivery = client.test_webhook(id)
    run.out.done(f"Sent. See the result with `restcalc webhooks deliveries {id}`.", delivery)


def deliveries(run: Invocation, id: IdArgument, limit: LimitOption = 50) -> None:
    """List the events for a webhook, with the result of the last attempt of each."""
    found = islice(run.client.list_webhook_deliveries(id, page_size=min(limit or 50, 100)), limit)
    if run.out.as_json:
        run.out.rows(found, ())
        return
    run.out.rows((_WithLastAttempt(delivery) for delivery in found), DELIVERY_FIELDS)


class _WithLastAttempt:
    """A delivery with a text for its last attempt."""

    def __init__(self, delivery: Any) -> None:
        self._delivery = delivery

    def __getattr__(self, name: str) -> Any:
        return getattr(self._delivery, name)

    @property
    def last_attempt(self) -> str | None:
        if not self._delivery.attempts:
            return None
        last = self._delivery.attempts[0]
        return f"{last.status or last.error} ({last.duration_ms} ms)"


def redeliver(
    run: Invocation,
    id: IdArgument,
    delivery: Annotated[
        str,
        id_argument("The id of the delivery. `restcalc webhooks deliveries` shows it.", metavar="DELIVERY"),
    ],
) -> None:
    """Send an event to a webhook again. Asks for your password."""
    with run.session() as client:
        pending = client.redeliver_webhook(id, delivery)
    run.out.done(f"The delivery {delivery} is sent again.", pending)


def listen(
    run: Invocation,
    event: EventOption = None,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="The port to listen on; 0 for a free one.")
    ] = 0,
    public_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The https URL that leads to this machine, such as that of a tunnel. Only the local service "
            "needs none.",
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            "--secret",
            metavar="SECRET",
            envvar="RESTCALC_WEBHOOK_SECRET",
            help="The secret of an existing webhook, instead of a new webhook.",
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="N", help="End after N different events.")
    ] = None,
) -> None:
    """Receive events on this machine, verify them and print each once, until Ctrl-C, SIGTERM or SIGHUP.

    Creates a webhook, for which it asks for your password, and deletes it at the end. With --secret it
    receives the requests of an existing one.
    """
    from restcalc.cli.interrupts import interrupts_delayed, termination_ignored, termination_interrupts
    from restcalc.cli.webhook_listener import Listener

    with termination_interrupts(), Listener.running(port) as listener:
        if secret:
            listener.secret = secret
            run.out.note(f"Listening at {listener.url}. Ctrl-C ends.")
            _print_events(run, listener, limit)
            return
        with run.session() as client:
            created = None
            try:
                # Only the response contains the id by which the webhook is deleted.
                with interrupts_delayed():
                    created = client.create_webhook(
                        public_url or listener.url,
                        list(event or WebhookEvent),
                        description="restcalc webhooks listen",
                    )
                listener.secret = created.secret
                _announce(run, created)
                _print_events(run, listener, limit)
            finally:
                if created:
                    with termination_ignored():
                        client.delete_webhook(created.id)


def _announce(run: Invocation, webhook: WebhookWithSecret) -> None:
    run.out.note(f"The webhook {webhook.id} sends to {webhook.url}. Ctrl-C deletes it.")


def _print_events(run: Invocation, listener: Any, limit: int | None) -> None:
    from restcalc.webhooks import InvalidSignature

    printed = set[str]()
    while limit is None or len(printed) < limit:
        try:
            id, event = listener.next()
        except InvalidSignature as error:
            run.out.note(f"Rejected a request: {error}")
            continue
        if id in printed:
            run.out.note(f"Received {event['type']} again, with the webhook-id {id}.")
            continue
        printed.add(id)
        if run.out.as_json:
            run.out.json(event)
        else:
            run.out.line(f"{event['timestamp']}\t{event['type']}\t{_subject(event['data'])}")


def _subject(data: dict[str, Any]) -> str:
    """Return what an event is about: the status of a task or export, an amount, or a balance."""
    names = ("status", "error", "amount", "balance", "id", "webhook_id")
    return " ".join(f"{name}={data[name]}" for name in names if data.get(name) is not None)


def register(app: typer.Typer) -> None:
    webhooks = new_app("Get events of your account at a URL, or in this terminal.")
    add_list(
        webhooks,
        "list",
        "list_webhooks",
        FIELDS,
        "List your webhooks, without their secrets.",
        "restcalc webhooks list",
        date="created_at",
    )
    create_examples = (
        "restcalc webhooks create https://hooks.example.com/restcalc -e task.completed -e task.failed",
        "SECRET=$(restcalc webhooks create https://hooks.example.com/restcalc)",
    )
    command(webhooks, "create", *create_examples)(create)
    command(webhooks, "update", f"restcalc webhooks update {EXAMPLE_ID} --no-pause")(update)
    command(webhooks, "delete", f"restcalc webhooks delete {EXAMPLE_ID}")(delete)
    command(webhooks, "rotate-secret", f"restcalc webhooks rotate-secret {EXAMPLE_ID}")(rotate_secret)
    command(webhooks, "test", f"restcalc webhooks test {EXAMPLE_ID}")(test)
    command(webhooks, "deliveries", f"restcalc webhooks deliveries {EXAMPLE_ID}")(deliveries)
    command(webhooks, "redeliver", f"restcalc webhooks redeliver {EXAMPLE_ID} {EXAMPLE_ID}")(redeliver)
    listen_examples = (
        "restcalc webhooks listen",
        "restcalc webhooks listen -e task.completed --json | jq .data.spent",
        "restcalc webhooks listen --port 8090 --public-url https://my-tunnel.example.com/webhooks",
    )
    command(webhooks, "listen", *listen_examples)(listen)
    app.add_typer(webhooks, name="webhooks")
