"""The metrics of several processes as one: prometheus_client's files in a folder, one of each kind for each process.

A process is named by its row, not by its pid: the one that takes the place of another continues its counters, so that
they never fall and no files are left behind. The supervisor removes the gauges of a process that has died.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector


class Shared:
    """One process's part. To be made before its metrics: it changes how prometheus_client keeps them."""

    def __init__(self, folder: str, row: int, pids: Callable[[], Iterable[int]]) -> None:
        """`pids`: of all processes that run."""
        self._folder, self._pids = folder, pids
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        values.ValueClass = values.MultiProcessValue(lambda: row)  # type: ignore[no-untyped-call]

    def registry(self) -> CollectorRegistry:
        """What /metrics shows: the sums of all processes."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        registry.register(_Processes(self._pids))
        return registry


class _Processes(Collector):
    """`process_*` of all: sums, the time of the first start, and the CPU time of those that have ended."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for pid in (*self._pids(), os.getppid()):
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                total = found.setdefault(family.name, family)
                if total is not family:
                    old, new = total.samples[0], family.samples[0]
                    both = min if family.name == "process_start_time_seconds" else _sum
                    total.samples[0] = old._replace(value=both(old.value, new.value))
        if cpu := found.get("process_cpu_seconds"):
            ended = cpu.samples[0]
            cpu.samples[0] = ended._replace(value=ended.value + _seconds_of_ended())
        yield from found.values()


def _sum(one: float, other: float) -> float:
    return one + other


def _seconds_of_ended() -> float:
    """CPU time of the supervisor's children that have ended, from fields 16 and 17 of proc(5), stat."""
    try:
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
