"""Marks each test with its folder, and assigns it to a process of `make test`."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.workermanage import NodeManager

from tests.support.data_folder import share_folder
from tests.support.distribution import ByGroup, rank

TESTS = Path(__file__).parent

# A slow example on a busy machine is no failure.
settings.register_profile("without-deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without-deadline")


def pytest_configure(config: pytest.Config) -> None:
    # A command in the background of a shell ignores SIGINT, and one of nohup SIGHUP. So would the processes
    # that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        share_folder(config)


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(item.path.relative_to(TESTS).parts[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    config.option.loadscopereorder = False  # keep the order in which the tests were sorted
    # At Ctrl-C stop the services that the processes started; on a busy machine this takes more than 10 s.
    NodeManager.EXIT_TIMEOUT = 30
    return ByGroup(config, log)
