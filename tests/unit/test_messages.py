"""Parsing of SQS messages into the uploads that they announce."""

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.messages import InvalidMessage, files

USER, TASK = "0190d7a6-3f5e-7c3a-9b1e-0123456789ab", "0190d7a6-3f5e-7c3a-9b1e-ba9876543210"
KEY = f"uploads/{USER}/{TASK}.csv"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["Records", "s3", "object", "key"]), inner)
    ),
)


def event(*keys: Any) -> str:
    """Return the body of S3's message about these objects."""
    return json.dumps(
        {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": key}}} for key in keys]}
    )


def test_event_yields_the_upload_of_its_key() -> None:
    (upload,) = files(event(KEY))
    assert (upload.key, upload.user_id, upload.task_id) == (KEY, UUID(USER), UUID(TASK))


@pytest.mark.parametrize(
    ("source", "announced"), [("aws:s3", True), ("restcalculator", False), (None, False)]
)
def test_upload_is_announced_only_by_a_message_of_s3(source: str | None, announced: bool) -> None:
    message = json.loads(event(KEY))
    message["Records"][0]["eventSource"] = source
    assert [upload.announced for upload in files(json.dumps(message))] == [announced]


def test_event_with_several_records_yields_their_uploads_in_order() -> None:
    other = KEY.replace("3210", "3211")
    assert [upload.key for upload in files(event(KEY, other, KEY))] == [KEY, other, KEY]


def test_key_is_decoded_like_a_form_value() -> None:
    assert files(event(quote_plus(KEY)))[0].key == KEY
    assert files(event(KEY.replace("-", "%2D")))[0].key == KEY


def test_test_event_of_s3_yields_no_upload() -> None:
    assert files(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "uploads/",
        f"results/{USER}/{TASK}.csv",
        f"uploads/{USER}/{TASK}.csv.gz",
        f"uploads/{USER}/{TASK}.csv\n",
        f"x/uploads/{USER}/{TASK}.csv",
        f"uploads/{USER}/../{TASK}.csv",
        f"uploads/{USER}/{TASK[:-1]}.csv",
        f"uploads/{USER.upper()}/{TASK}.csv",
        f"uploads/{TASK}.csv",
        "uploads/a+b/%C3%BC.csv",
    ],
)
def test_unknown_key_raises_not_understood(key: str) -> None:
    with pytest.raises(InvalidMessage):
        files(event(key))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "null",
        "[]",
        '"Records"',
        "{}",
        '{"Records": null}',
        '{"Records": "abc"}',
        '{"Records": [null]}',
        '{"Records": [{}]}',
        '{"Records": [{"s3": {"object": {}}}]}',
        event(None),
        event(7),
        event([KEY]),
        "\ufeff" + event(KEY),
        event(KEY)[:-1],
        "[" * 100_000,
    ],
    ids=lambda body: body[:30],
)
def test_body_that_is_not_an_event_raises_not_understood(body: str) -> None:
    with pytest.raises(InvalidMessage):
        files(body)


def test_one_unknown_record_rejects_the_whole_message() -> None:
    with pytest.raises(InvalidMessage):
        files(event(KEY, "uploads/strange.csv"))


@given(anything.map(json.dumps) | st.text())
def test_no_body_raises_another_error(body: str) -> None:
    with suppress(InvalidMessage):
        files(body)
