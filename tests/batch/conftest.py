"""The harness of the batch tests. Its settings apply to the test process, too."""

from collections.abc import Callable, Iterator

import pytest

from shared import aws
from shared.database import dispose_connections
from shared.settings import settings
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness, Task
from tests.support.batch.processes import Overrides, WorkerProcess
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


@pytest.fixture(scope="session")
def idle_workers(session_harness: Harness) -> Iterator[list[WorkerProcess]]:
    """Live workers without overrides, which the tests share."""
    workers = list[WorkerProcess]()
    yield workers
    for worker in workers:
        worker.close()


@pytest.fixture
def deliveries(harness: Harness, idle_workers: list[WorkerProcess]) -> Deliveries:
    return Deliveries(harness, idle=idle_workers)


@pytest.fixture
def deliveries_with(
    harness: Harness, idle_workers: list[WorkerProcess]
) -> Iterator[Callable[..., Deliveries]]:
    """Return a function that creates deliveries to workers with other overrides, or with `seconds` left."""
    created = list[Deliveries]()

    def create(overrides: Overrides | None = None, **options: float) -> Deliveries:
        if overrides is None:
            return Deliveries(harness, idle=idle_workers, **options)
        created.append(Deliveries(harness, overrides, **options))
        return created[-1]

    yield create
    for one in created:
        one.close()


@pytest.fixture
def undisturbed(harness: Harness, idle_workers: list[WorkerProcess]) -> Callable[[bytes], Task]:
    """Return a function that processes a file for another user without faults, each file only once."""

    def process(file: bytes) -> Task:
        if file not in harness.undisturbed:
            harness.undisturbed[file] = harness.upload(harness.client(), file)
            Deliveries(harness, idle=idle_workers).until_idle()
        return harness.undisturbed[file]

    return process


@pytest.fixture(scope="session")
def running() -> Iterator[RunningService]:
    """The service as `make up` starts it."""
    with RunningService.prepared() as running:
        yield running
