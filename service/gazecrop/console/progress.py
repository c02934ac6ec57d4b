"""One line of progress on a terminal: how many, how fast, how long still. Elsewhere a plain line now and then."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO


class Progress:
    """`total`: of all; `done`: of an earlier run, which count for nothing in the rate. `plain`: seconds between lines
    where no terminal is (0: none)."""

    def __init__(self, total: int, done: int = 0, *, plain: float = 0, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total, self._done, self._before = total, done, done
        self._failed = 0
        self._terminal = self._stream.isatty()
        self._pause = 0.1 if self._terminal else plain
        self._start = self._shown = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def step(self, *, failed: bool = False) -> None:
        self._done += 1
        self._failed += failed
        now = time.monotonic()
        if self._pause and now - self._shown >= self._pause:
            self._shown = now
            self._show(self.line(now - self._start))

    def line(self, seconds: float) -> str:
        rate = (self._done - self._before) / seconds if seconds > 0 else 0.0
        text = f"{self._done:,} of {self._total:,}"
        if rate > 0:
            text += f"  {rate:.3g}/s  {_clock((self._total - self._done) / rate)} left"
        return text + (f"  {self._failed:,} unreadable" if self._failed else "")

    def clear(self) -> None:
        """Wipes the line, so that other text may follow."""
        if self._terminal and self._width:
            print("\r" + " " * self._width + "\r", end="", file=self._stream, flush=True)
            self._width = 0

    def _show(self, text: str) -> None:
        if self._terminal:
            print("\r" + text.ljust(self._width), end="", file=self._stream, flush=True)
            self._width = len(text)
        else:
            print(text, file=self._stream, flush=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
