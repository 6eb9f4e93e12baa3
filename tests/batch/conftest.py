"""The harness for all tests of the batch, and this process's settings that go with it."""

from collections.abc import Callable, Iterator

import pytest

from shared import aws
from shared.database import dispose_connections
from shared.settings import settings
from tests.support.batch.deliveries import Deliveries
from tests.support.batch.harness import Harness
from tests.support.batch.service import RunningService


@pytest.fixture(scope="session")
def running_ground() -> Iterator[Harness]:
    with Harness.prepared() as harness:
        yield harness


@pytest.fixture
def harness(running_ground: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """The harness, its queues empty; its settings are this process's."""
    for name, value in running_ground.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    for queue in (running_ground.queue, running_ground.dead_letters):
        running_ground.cloud.sqs.purge_queue(QueueUrl=queue)
    running_ground.stage.expect(None)
    yield running_ground
    forget()


def forget() -> None:
    """Let go of what was made from other settings."""
    dispose_connections()
    settings.cache_clear()
    aws.s3.cache_clear()
    aws.sqs.cache_clear()


@pytest.fixture
def deliveries(harness: Harness) -> Iterator[Deliveries]:
    made = Deliveries(harness)
    yield made
    made.close()


@pytest.fixture
def deliveries_with(harness: Harness) -> Iterator[Callable[..., Deliveries]]:
    """Makes deliveries with other overrides, or to workers with little time: `seconds=…`."""
    made = list[Deliveries]()

    def make(**how: object) -> Deliveries:
        made.append(Deliveries(harness, **how))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def running() -> Iterator[RunningService]:
    """The service as `make up` starts it."""
    with RunningService.prepared() as running:
        yield running
