"""A test that leaves a socket, a file or a pipe open fails itself.

Python complains of such an object when it is freed, and pytest makes that an error of whichever test runs just then.
An object in a reference cycle, or in the traceback of a failed test, is freed in one of the next.
"""

import gc
import os
import sys
from collections.abc import Generator

import pytest

BEFORE = pytest.StashKey[int]()


def _descriptors() -> int:
    """Open in this process, 10 us; always 0 where no folder lists them."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return 0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    item.stash[BEFORE] = _descriptors()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """After the fixtures. Only where there may be something: a collection takes 0.2 s."""
    try:
        return (yield)
    finally:
        failed = hasattr(sys, "last_value")
        if failed or _descriptors() > item.stash.get(BEFORE, 0):
            for name in (
                "last_exc",
                "last_type",
                "last_value",
                "last_traceback",
            ):  # pytest keeps the frames here
                if hasattr(sys, name):
                    delattr(sys, name)
            gc.collect()
            # pytest has looked for complaints already; the next time would be in the setup of the next test.
            unraisable = item.config.pluginmanager.get_plugin("unraisableexception")
            if unraisable is not None:
                unraisable.pytest_runtest_teardown(item)
