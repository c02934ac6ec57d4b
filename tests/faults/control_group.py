"""A memory control group for one server, where this machine lets one be made; else nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ONE, TWO = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class ControlGroup:
    folder: Path

    @property
    def kills(self) -> int:
        """Processes that the kernel killed for the limit."""
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                lines = (self.folder / name).read_text().splitlines()
                return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return 0

    def add(self, process: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(process))


@contextmanager
def control_group(limit: int) -> Iterator[ControlGroup | None]:
    """limit: bytes. None where no group can be made: not root, or another hierarchy."""
    root, name = (
        (ONE, "memory.limit_in_bytes") if (ONE / "memory.limit_in_bytes").exists() else (TWO, "memory.max")
    )
    folder = root / f"gazecrop-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / name).write_text(str(limit))
        (folder / "cgroup.procs").write_text("")
    except OSError as error:
        if error.errno != 22 and not (folder / name).exists():  # 22: an empty list of processes
            with suppress(OSError):
                folder.rmdir()
            yield None
            return
    try:
        yield ControlGroup(folder)
    finally:
        with suppress(OSError):
            folder.rmdir()
