"""Random strings from random.org, with a local fake server."""

import time
from collections.abc import Iterator

import pytest

from shared.errors import ServiceUnavailable
from shared.operations import catalog, random_string
from shared.settings import settings
from tests.support.eventually import eventually
from tests.support.fake_random_org import GARBAGE, HANGING_SECONDS, KEY, RandomOrg, strings


@pytest.fixture
def random_org(environment: pytest.MonkeyPatch) -> Iterator[RandomOrg]:
    environment.setenv("RANDOM_STRING_API_KEY", KEY)
    settings.cache_clear()
    environment.setattr(random_string, "TIMEOUT", 2.0)
    random_string._ready.clear()
    with RandomOrg.running() as random_org:
        environment.setattr(random_string, "ENDPOINT", random_org.endpoint)
        yield random_org
    random_string._ready.clear()


def test_request_follows_the_api_of_random_org(random_org: RandomOrg) -> None:
    assert catalog.compute(catalog.find("random_string"), []) == f"{0:032d}"
    (call,) = random_org.calls
    assert call["method"] == "generateStrings"
    assert call["params"]["apiKey"] == KEY
    assert (call["params"]["n"], call["params"]["length"]) == (1, 32)
    assert set(call["params"]["characters"]) == set(random_string.ALPHABET)


def test_prepare_fetches_all_strings_in_calls_of_at_most_10000(random_org: RandomOrg) -> None:
    prepare = catalog.find("random_string").prepare
    assert prepare is not None
    prepare(25_000)
    assert [call["params"]["n"] for call in random_org.calls] == [10_000, 10_000, 5_000]
    for _ in range(25_000):
        random_string.next_string()
    assert len(random_org.calls) == 3


@pytest.mark.parametrize("kind", GARBAGE)
def test_one_invalid_response_is_retried_and_two_raise_service_unavailable(
    random_org: RandomOrg, kind: str
) -> None:
    garbage = GARBAGE[kind]
    random_org.responses = [lambda _: garbage, strings, lambda _: garbage]
    assert random_string.next_string() == f"{0:032d}"
    assert len(random_org.calls) == 2
    with pytest.raises(ServiceUnavailable) as caught:
        random_string.next_string()
    assert len(random_org.calls) == 4
    assert caught.value.retry_after > 0
    assert KEY not in caught.value.detail


def test_unresponsive_server_raises_service_unavailable_after_two_timeouts(
    random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", 0.1)
    random_org.responses = [random_org.never_responds]
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        random_string.next_string()
    assert time.monotonic() - started < HANGING_SECONDS
    eventually(lambda: len(random_org.calls) == 2)


def test_server_that_sends_one_byte_at_a_time_raises_after_two_timeouts(
    random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", 0.1)
    random_org.responses = [random_org.responds_byte_by_byte]
    with pytest.raises(ServiceUnavailable):
        random_string.next_string()
    eventually(lambda: len(random_org.calls) == 2)


def test_two_timeouts_fit_into_the_timeout_of_a_function() -> None:
    assert (random_string.TIMEOUT, random_string.ATTEMPTS) == (5.0, 2)


@pytest.mark.usefixtures("environment")
def test_strings_are_generated_locally_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_string, "ENDPOINT", "http://127.0.0.1:1/")
    random_string.prefetch(1000)
    strings_without_key = {random_string.next_string() for _ in range(1001)}
    assert len(strings_without_key) == 1001
    assert {len(text) for text in strings_without_key} == {random_string.LENGTH}
