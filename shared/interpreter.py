"""Settings of the Python interpreter: the garbage collector, the thread switch interval and plugins."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

BATCH_SWITCH_INTERVAL_SECONDS = 0.0002
"""How long a thread of a batch keeps the interpreter while another thread waits for it."""


def begin_imports() -> None:
    """Disable garbage collection and Pydantic's plugins.

    Imports create no garbage, and scanning for it slows the cold start. There are no plugins, but without the
    variable, Pydantic searches the metadata of all packages for them.
    """
    gc.disable()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def end_imports() -> None:
    """Exclude the imported objects from later collections, and enable garbage collection again."""
    gc.freeze()
    gc.enable()


@contextmanager
def tuned_for_batch() -> Iterator[None]:
    """Tune the interpreter for a batch.

    Rows create no reference cycles, and GC scans cost a third of the run time, so collect rarely and only
    new objects. With a short switch interval, the thread that received Postgres' response runs at once; by
    default the computing thread may keep the interpreter for 5 ms.
    """
    switch_interval = sys.getswitchinterval()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(BATCH_SWITCH_INTERVAL_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_interval)
        gc.enable()
        gc.unfreeze()


def collect_garbage() -> None:
    """Run a full garbage collection."""
    gc.collect()
