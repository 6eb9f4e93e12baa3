"""UUIDv7 according to RFC 9562, section 5.7."""

import time
from uuid import RFC_4122, UUID

import pytest

from shared import ids


def test_uuid7_has_version_7_and_the_rfc_variant() -> None:
    created = [ids.uuid7() for _ in range(1000)]
    assert {one.version for one in created} == {7}
    assert {one.variant for one in created} == {RFC_4122}
    assert len(set(created)) == 1000


def test_uuid7_starts_with_the_current_unix_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = ids.uuid7().int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_later_uuid7_sorts_after_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_800_000_000_000_000_000, 1_800_000_001_000_000_000, 1_000_000))
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(clock))
    created = [ids.uuid7() for _ in range(1000)]
    assert created == sorted(created)
    assert [str(one) for one in created] == sorted(str(one) for one in created)


def test_uuid7_pieces_make_unique_uuids_in_order() -> None:
    for count in (0, 1, 2**14):
        head, middles, tail = ids.uuid7_pieces(count)
        created = [UUID(bytes=f"{head}{middle}{tail}".encode("latin-1")) for middle in middles]
        assert len(set(created)) == count
        assert created == sorted(created)
        assert {one.version for one in created} <= {7}
        assert {one.variant for one in created} <= {RFC_4122}
