"""A progress bar on a terminal; elsewhere a plain line now and then."""

import sys
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

_BAR = "{percentage:3.0f}%|{bar}| {n:,} of {total:,} [{elapsed}<{remaining},{rate_noinv_fmt}{postfix}]"
_LINE = "{n:,} of {total:,}, {rate_noinv_fmt}, {remaining} left{postfix}"


class Progress:
    """`total`: of all; `done`: of an earlier run, which do not count for the rate. `plain`: seconds between the lines
    where the stream is not a terminal (0: no lines)."""

    def __init__(self, total: int, done: int = 0, *, plain: float = 0, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        terminal = stream.isatty()
        self._failed = 0
        self._bar = tqdm(
            total=total,
            initial=done,
            file=stream if terminal else _Lines(stream),
            disable=not (terminal or plain),
            bar_format=_BAR if terminal else _LINE,
            mininterval=0.1 if terminal else plain,
            delay=0.1 if terminal else plain,
            miniters=1,  # a number, so that tqdm starts no thread to adapt it
            smoothing=0,  # pictures come in blocks from several workers: only the mean rate is steady
            dynamic_ncols=terminal,
            leave=False,
            unit="",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def step(self, *, failed: bool = False) -> None:
        if failed:
            self._failed += 1
            self._bar.set_postfix_str(f"{self._failed:,} unreadable", refresh=False)
        self._bar.update()

    def clear(self) -> None:
        """Wipes the bar, so that other text may follow."""
        self._bar.clear()


class _Lines:
    """A stream for tqdm that prints each state as a line, instead of over the last one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if state := " ".join(text.split()):  # tqdm pads its numbers
            print(state, file=self._stream, flush=True)

    def flush(self) -> None:
        pass
