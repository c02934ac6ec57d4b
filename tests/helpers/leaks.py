"""A test that leaves a socket, a file or a pipe open fails itself.

Python warns when such an object is freed, and pytest reports that as an error of the test that runs at that moment.
An object in a reference cycle, or in the traceback of a failed test, is freed during a later test.
"""

import gc
import os
import sys
from collections.abc import Generator

import pytest

BEFORE = pytest.StashKey[int]()
TRACEBACK = (
    "last_exc",
    "last_type",
    "last_value",
    "last_traceback",
)  # where pytest keeps that of a failed test


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
    """After the fixtures. Only where there may be a leak: a collection takes 0.2 s."""
    try:
        return (yield)
    finally:
        failed = hasattr(sys, "last_value")
        if failed or _descriptors() > item.stash.get(BEFORE, 0):
            for name in TRACEBACK:
                if hasattr(sys, name):
                    delattr(sys, name)
            gc.collect()
            # pytest has checked already; its next check is in the setup of the next test.
            unraisable = item.config.pluginmanager.get_plugin("unraisableexception")
            if unraisable is not None:
                unraisable.pytest_runtest_teardown(item)
