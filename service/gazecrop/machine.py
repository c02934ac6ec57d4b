"""What this machine, or the container on it, gives to the process: cores and memory."""

import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

# Of control groups, version 2 and 1, as a container sees its own.
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_OWN_GROUP = re.compile(r"^(?P<number>\d+):(?P<controllers>[^:]*):(?P<path>/.*)$", re.M)


def cores() -> int:
    """Cores this process may use (a container's cpuset counts, its quota does not)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_limit(files: Sequence[str] = MEMORY_LIMITS) -> float:
    """Bytes that this container may use; infinity without a limit or outside Linux."""
    for file in files:
        try:
            limit = int(Path(file).read_text())
        except (OSError, ValueError):  # not there, or `max`
            continue
        if limit < 2**50:  # version 1 writes nearly 2**63 for none
            return limit
    return math.inf


def own_memory_limit() -> float:
    """Bytes: the least limit of the control group of this process and of those above it; infinity without any."""
    return min((memory_limit([file]) for file in (*MEMORY_LIMITS, *_files_of_own_groups())), default=math.inf)


def memory() -> int:
    """Bytes of main memory; 8 GB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 8_000_000_000


def resident() -> int:
    """Bytes of memory that this process has now; 0 outside Linux."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _files_of_own_groups() -> Iterator[str]:
    """For processes outside a container, such as a systemd unit with MemoryMax."""
    try:
        listed = Path("/proc/self/cgroup").read_text()
    except OSError:
        return
    for group in _OWN_GROUP.finditer(listed):
        if not group["controllers"]:
            root, name = "/sys/fs/cgroup", "memory.max"
        elif group["controllers"] == "memory":
            root, name = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        path = Path(group["path"])
        yield from (f"{root}{folder}/{name}" for folder in (path, *path.parents))
