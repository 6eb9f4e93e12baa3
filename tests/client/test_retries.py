"""Which calls the client sends again, after which pause, and which error the caller gets."""

from collections.abc import Callable

import httpx
import pytest

from restcalc import (
    ApiError,
    Client,
    Conflict,
    InvalidInput,
    RestcalcError,
    TooManyRequests,
    UnexpectedResponse,
    Unreachable,
)
from restcalc._sync import connection

ERRORS = {413: "Request Entity Too Large", 429: "Too Many Requests", 503: "Service Unavailable"}
CHARGED = {
    "status": "success",
    "message": "",
    "result": 3,
    "amount": 5,
    "user_balance": 15,
    "record_id": "0" * 32,
}
DONE = httpx.Response(200, json=CHARGED)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, which take no time here."""
    pauses = list[float]()
    monkeypatch.setattr(connection, "sleep", pauses.append)
    return pauses


class Script:
    """A service that answers with the given responses, one after another."""

    def __init__(self, *responses: httpx.Response | Exception) -> None:
        self.responses = iter(responses)
        self.requests = list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = next(self.responses)
        if isinstance(response, Exception):
            raise response
        return response


def gateway_error(status: int, **headers: str) -> httpx.Response:
    """Return an error of API Gateway, which is no problem."""
    return httpx.Response(status, json={"message": ERRORS[status]}, headers=headers)


def problem(status: int, slug: str, detail: str, headers: dict[str, str] | None = None) -> httpx.Response:
    body = {"type": f"/problems/{slug}", "title": slug, "status": status, "detail": detail, "instance": "1"}
    return httpx.Response(status, json=body, headers=headers)


def test_charge_is_repeated_with_the_same_key_until_it_succeeds(
    stub: Callable[..., Client], pauses: list[float]
) -> None:
    script = Script(
        httpx.ConnectError("refused"), httpx.ReadTimeout(""), gateway_error(503), gateway_error(429), DONE
    )
    assert stub(script).compute("addition", 1, 2).result == 3
    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 1
    assert len(pauses) == 4
    assert all(0 < pause <= 2 for pause in pauses)


def test_retry_after_is_honoured(stub: Callable[..., Client], pauses: list[float]) -> None:
    busy = problem(429, "too-many-requests", "Too many requests.", {"Retry-After": "7"})
    running = problem(409, "conflict", "Still running.", {"Retry-After": "1"})
    assert stub(Script(busy, running, DONE)).compute("addition", 1, 2).amount == 5
    assert 7 < pauses[0] < 8
    assert 1 < pauses[1] < 2


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (problem(409, "conflict", "It has a price already."), Conflict),
        (problem(422, "invalid-input", "Division by zero."), InvalidInput),
        (problem(429, "too-many-requests", "Try again in 900 s.", {"Retry-After": "900"}), TooManyRequests),
        (gateway_error(413), InvalidInput),
    ],
    ids=["conflict", "invalid input", "long pause", "too large"],
)
def test_error_that_does_not_pass_is_raised_at_once(
    stub: Callable[..., Client], pauses: list[float], response: httpx.Response, kind: type[ApiError]
) -> None:
    with pytest.raises(kind):
        stub(Script(response)).compute("addition", 1, 2)
    assert pauses == []


@pytest.mark.parametrize(
    "failure", [httpx.ReadTimeout(""), httpx.RemoteProtocolError("closed"), gateway_error(503)], ids=repr
)
def test_change_that_may_have_been_made_is_not_repeated(
    stub: Callable[..., Client], pauses: list[float], failure: httpx.Response | Exception
) -> None:
    with pytest.raises(RestcalcError, match="Check before you repeat it") as caught:
        stub(Script(failure)).create_api_key("a program")
    assert caught.value.uncertain
    assert pauses == []


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), gateway_error(429)], ids=repr)
def test_change_that_was_not_made_is_repeated(
    stub: Callable[..., Client], pauses: list[float], failure: httpx.Response | Exception
) -> None:
    """429 and a refused connection: no function has seen the request."""
    script = Script(failure, problem(409, "conflict", "You have 100 API keys."))
    with pytest.raises(Conflict):
        stub(script).create_api_key("a program")
    assert len(script.requests) == 2


def test_calls_end_after_the_given_number_of_retries(
    stub: Callable[..., Client], pauses: list[float]
) -> None:
    script = Script(*[httpx.ConnectError("[Errno 111] Connection refused")] * 6)
    with pytest.raises(Unreachable) as caught:
        stub(script).get_health()
    cause = "https://service.example can't be reached: [Errno 111] Connection refused."
    assert str(caught.value) == f"{cause} Check the URL and the network."
    assert not caught.value.uncertain
    assert len(pauses) == 5


def test_last_error_says_whether_any_attempt_may_have_succeeded(
    stub: Callable[..., Client], pauses: list[float]
) -> None:
    script = Script(httpx.ReadTimeout(""), *[httpx.ConnectError("refused")] * 5)
    with pytest.raises(Unreachable, match="charges nothing twice") as caught:
        stub(script).compute("addition", 1, 2)
    assert caught.value.uncertain
    assert caught.value.idempotency_key == script.requests[0].headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (
            gateway_error(413),
            "Request Entity Too Large. Send a smaller request, or a file with upload(). (413)",
        ),
        (gateway_error(503), "Service Unavailable. Try again. (503)"),
        (httpx.Response(504), "Gateway Timeout. (504)"),
        (
            problem(401, "not-signed-in", "The token has expired."),
            "The token has expired. Sign in with login(email, password), or give an API key (api_key=… or "
            "RESTCALC_API_KEY). (401)",
        ),
        (problem(403, "forbidden", "Only admins may do this."), "Only admins may do this. (403)"),
    ],
    ids=["413", "503", "504", "401", "403"],
)
def test_error_says_what_happened_and_what_to_do(
    stub: Callable[..., Client], pauses: list[float], response: httpx.Response, text: str
) -> None:
    with pytest.raises(ApiError) as caught:
        stub(Script(*[response] * 6)).get_current_user()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "response",
    [httpx.Response(200, text="<html>"), httpx.Response(200, json={"id": 1}), httpx.Response(302)],
    ids=["HTML", "other JSON", "redirect"],
)
def test_response_of_another_service_is_reported(
    stub: Callable[..., Client], response: httpx.Response
) -> None:
    with pytest.raises(
        UnexpectedResponse, match=r"The response of https://service.example/api/v1/users/me has another form"
    ):
        stub(Script(response)).get_current_user()


@pytest.mark.parametrize(
    "url", ["localhost:8080", "http://", "http://[", "http://localhost:x", "http://localhost:0", "http://a b"]
)
def test_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"is not the URL of a service, such as https://api\.example\.com"):
        Client(url)


def test_api_key_that_no_header_can_contain_is_rejected() -> None:
    for key in ("a\nb", "a b", "ключ"):
        with pytest.raises(ValueError, match=r"^The API key contains a space.*Copy it again\.$"):
            Client(api_key=key)
    with Client(api_key=" rc_1\n") as client:
        assert client._api_key == "rc_1"
