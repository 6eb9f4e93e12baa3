"""POST /api/v1/webhooks: create a webhook."""

from aws_lambda_powertools.event_handler import Response

from shared import webhooks
from shared.http.api import Access, Api
from shared.http.responses import created, documented
from shared.schemas.requests import NewWebhook

app = Api(access=Access.SESSION)


@app.post(
    "/api/v1/webhooks",
    tags=["webhooks"],
    summary="Create a webhook.",
    description=(
        "The service sends each of these events of your account to the URL, as a POST that is signed as "
        "Standard Webhooks define. The response shows the secret once; rotate it if you lose it. The URL "
        "must be https and have a public host, which the service reaches by IPv4 only. A user has at most 10 "
        "webhooks (409). Too many new ones within a short time return 429. Free."
    ),
    operation_id="createWebhook",
    responses=documented(
        "WebhookWithSecret",
        409,
        429,
        status=201,
        headers=("Location",),
        description="The webhook, with its secret.",
    ),
    status_code=201,
)
def create_webhook(body: NewWebhook) -> Response[str]:
    return created(webhooks.create(app.credentials, app.caller.id, body.model_dump()), "/api/v1/webhooks")
