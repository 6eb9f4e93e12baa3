"""The harness of the batch tests. Its settings apply to the test process, too."""

from collections.abc import Callable, Iterator

import pytest

from shared import aws
from shared.database import dispose_connections
from shared.settings import settings
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness
from tests.support.batch.service import RunningService


@pytest.fixture(scope="session")
def session_harness() -> Iterator[Harness]:
    with Harness.prepared() as harness:
        yield harness


@pytest.fixture
def harness(session_harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """The harness with empty queues, for which no message of an earlier test's task is sent again.

    Its settings apply to this process within the test.
    """
    for name, value in session_harness.environment.items():
        monkeypatch.setenv(name, value)
    clear_caches()
    for queue in (session_harness.queue, session_harness.dead_letters):
        session_harness.cloud.sqs.purge_queue(QueueUrl=queue)
    for table in ("tasks", "exports"):
        session_harness.sql(f"UPDATE {table} SET restarted_at = now()")
    session_harness.stage.expect(None)
    yield session_harness
    clear_caches()


def clear_caches() -> None:
    """Close connections and clear clients that were created with other settings."""
    dispose_connections()
    settings.cache_clear()
    aws.s3.cache_clear()
    aws.sqs.cache_clear()


@pytest.fixture
def deliveries(harness: Harness) -> Iterator[Deliveries]:
    deliveries = Deliveries(harness)
    yield deliveries
    deliveries.close()


@pytest.fixture
def deliveries_with(harness: Harness) -> Iterator[Callable[..., Deliveries]]:
    """Return a function that creates deliveries with other overrides, or to workers with `seconds` left."""
    created = list[Deliveries]()

    def create(**options: object) -> Deliveries:
        created.append(Deliveries(harness, **options))  # type: ignore[arg-type]
        return created[-1]

    yield create
    for one in created:
        one.close()


@pytest.fixture(scope="session")
def running() -> Iterator[RunningService]:
    """The service as `make up` starts it."""
    with RunningService.prepared() as running:
        yield running
