"""UUIDv7, as RFC 9562 section 5.7 has it."""

import time
from uuid import RFC_4122, UUID

import pytest

from shared import ids


def test_an_id_is_a_version_7_uuid_of_the_rfc_variant() -> None:
    made = [ids.uuid7() for _ in range(1000)]
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {RFC_4122}
    assert len(set(made)) == 1000


def test_an_id_begins_with_the_unix_milliseconds_of_its_making() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = ids.uuid7().int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_a_later_id_sorts_after_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_800_000_000_000_000_000, 1_800_000_001_000_000_000, 1_000_000))
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(clock))
    made = [ids.uuid7() for _ in range(1000)]
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_many_ids_of_one_moment_are_uuids_in_order() -> None:
    for count in (0, 1, 2**14):
        made = list(ids.uuid7s(count))
        read = [UUID(text) for text in made]
        assert len(set(made)) == count
        assert made == sorted(made) == [str(one) for one in read]
        assert {one.version for one in read} <= {7}
        assert {one.variant for one in read} <= {RFC_4122}
