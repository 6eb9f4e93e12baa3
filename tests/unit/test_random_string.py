"""Random strings from random.org: a server of the tests' own answers in its place."""

import time
from collections.abc import Iterator

import pytest

from shared.errors import ServiceUnavailable
from shared.operations import catalog, random_string
from shared.settings import settings
from tests.support.eventually import eventually
from tests.support.fake_random_org import GARBAGE, KEY, RandomOrg, strings


@pytest.fixture
def random_org(environment: pytest.MonkeyPatch) -> Iterator[RandomOrg]:
    environment.setenv("RANDOM_STRING_API_KEY", KEY)
    settings.cache_clear()
    environment.setattr(random_string, "TIMEOUT", 2.0)
    random_string._ready.clear()
    with RandomOrg.running() as organisation:
        environment.setattr(random_string, "ENDPOINT", organisation.endpoint)
        yield organisation
    random_string._ready.clear()


def test_a_string_is_asked_for_as_random_orgs_api_wants(random_org: RandomOrg) -> None:
    assert catalog.compute(catalog.find("random_string"), []) == f"{0:032d}"
    (call,) = random_org.calls
    assert call["method"] == "generateStrings"
    assert call["params"]["apiKey"] == KEY
    assert (call["params"]["n"], call["params"]["length"]) == (1, 32)
    assert set(call["params"]["characters"]) == set(random_string.ALPHABET)


def test_a_batch_fetches_all_its_strings_in_calls_of_at_most_10000(random_org: RandomOrg) -> None:
    prepare = catalog.find("random_string").prepare
    assert prepare is not None
    prepare(25_000)
    assert [call["params"]["n"] for call in random_org.calls] == [10_000, 10_000, 5_000]
    for _ in range(25_000):
        random_string.next_string()
    assert len(random_org.calls) == 3


@pytest.mark.parametrize("kind", GARBAGE)
def test_one_garbage_answer_is_tried_again_and_two_are_a_503(random_org: RandomOrg, kind: str) -> None:
    garbage = GARBAGE[kind]
    random_org.answers = [lambda _: garbage, strings, lambda _: garbage]
    assert random_string.next_string() == f"{0:032d}"
    assert len(random_org.calls) == 2
    with pytest.raises(ServiceUnavailable) as caught:
        random_string.next_string()
    assert len(random_org.calls) == 4
    assert caught.value.retry_after > 0
    assert KEY not in caught.value.detail


def test_a_silent_server_is_given_up_after_two_timeouts(
    random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", 0.1)
    random_org.answers = [random_org.says_nothing]
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        random_string.next_string()
    assert time.monotonic() - started < 2
    eventually(lambda: len(random_org.calls) == 2)


def test_a_server_that_drips_is_given_up_as_soon_as_a_silent_one(
    random_org: RandomOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_string, "TIMEOUT", 0.1)
    random_org.answers = [random_org.drips]
    started = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        random_string.next_string()
    assert time.monotonic() - started < 2
    eventually(lambda: len(random_org.calls) == 2)


def test_two_timeouts_end_well_before_the_functions_do() -> None:
    assert (random_string.TIMEOUT, random_string.ATTEMPTS) == (5.0, 2)


@pytest.mark.usefixtures("environment")
def test_without_a_key_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_string, "ENDPOINT", "http://127.0.0.1:1/")
    random_string.prefetch(1000)
    made = {random_string.next_string() for _ in range(1001)}
    assert len(made) == 1001
    assert {len(text) for text in made} == {random_string.LENGTH}
