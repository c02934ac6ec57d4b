"""The inbox of people's objections: a file of JSON lines, and the pictures that people chose to add beside it.

A local file on purpose: whoever runs the server reads it (`gazecrop reports`); nothing is sent anywhere.
"""

import json
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gazecrop.errors import StoreFull, TooManyReports

INBOX = "reports.jsonl"
PICTURES = "reports"
ADDRESSES = 10_000  # remembered for the rate limit; the longest silent one goes first


class Inbox:
    """Appends reports to `folder`, at most `megabytes` with their pictures. Blocks on the disk: call it in a thread."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        self._limit = megabytes * 1_000_000
        self._used: int | None = None

    def add(self, report: dict[str, Any], picture: bytes | None) -> str:
        """Keeps a report, durably. Returns its id. `report["id"]` is the picture's. Raises StoreFull."""
        id = secrets.token_hex(8)
        kept = {"report": id, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} | report
        if picture is not None:
            kept["picture"] = f"{PICTURES}/{report['id']}-{id}"
        line = json.dumps(kept, ensure_ascii=False).encode() + b"\n"
        size = len(line) + len(picture or b"")
        if self._used is None:
            self._used = self._measure()
        if self._used + size > self._limit:
            raise StoreFull("The inbox for reports is full; tell whoever runs this server.")
        self._used += size
        if picture is not None:
            (self._folder / PICTURES).mkdir(parents=True, exist_ok=True)
            _write(self._folder / kept["picture"], picture)
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(self._folder / INBOX, line)
        return id

    def forget(self, id: str) -> None:
        """Removes the pictures that were added to reports about this one, durably; the words stay."""
        folder = self._folder / PICTURES
        if not folder.exists():
            return
        # No glob: the id is whatever a client wrote.
        found = [file for file in folder.iterdir() if file.name.startswith(f"{id}-")]
        for file in found:
            size = file.stat().st_size
            file.unlink()
            if self._used is not None:
                self._used -= size
        if found:
            _sync(folder)

    def _measure(self) -> int:
        files = [self._folder / INBOX, *(self._folder / PICTURES).glob("*")]
        return sum(file.stat().st_size for file in files if file.is_file())

    def read(self) -> Iterator[dict[str, Any]]:
        """Every report, the oldest first. A last line cut by a crash is passed over."""
        path = self._folder / INBOX
        if not path.exists():
            return
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue


class Turnstile:
    """At most `per_hour` reports from one address, refilled evenly (a token bucket). Used from the loop only."""

    def __init__(self, per_hour: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_hour, self._clock = per_hour, clock
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> tokens, when

    def enter(self, address: str) -> None:
        """Raises TooManyReports."""
        now = self._clock()
        tokens, when = self._seen.pop(address, (float(self._per_hour), now))
        tokens = min(self._per_hour, tokens + (now - when) * self._per_hour / 3600)
        allowed = tokens >= 1
        self._seen[address] = (tokens - allowed, now)
        if len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        if not allowed:
            wait = max(1, round((1 - tokens) * 3600 / self._per_hour))
            raise TooManyReports(
                f"At most {self._per_hour} reports an hour from one address.",
                headers={"Retry-After": str(wait)},
                limit=self._per_hour,
            )


def _write(path: Path, data: bytes) -> None:
    """Appends in one write and waits for the disk; readable by the owner alone, as people may be in it."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    """Waits until the disk knows which files a folder has."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
