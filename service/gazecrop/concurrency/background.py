"""Threads for work that takes whole cores: decoding and encoding."""

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

# Of the threads, above the process's own: the event loop is scheduled before them when all cores are busy. Within a
# control group it changes nothing for other processes.
NICE = 5
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGE = 1 << 20


def threads(count: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads have a lower priority than the event loop's, on Linux."""
    return_large_blocks()
    return ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_yield_to_others)


def return_large_blocks() -> None:
    """Makes glibc map blocks of 1 MB and more by themselves, so that pixels go back to the system when they are freed.
    By default the threshold grows to 32 MB with the first large block, and each thread keeps a heap of such blocks."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def _yield_to_others() -> None:
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + NICE)
