"""Which frames of an animation its map is made from, from the container alone. Pure.

The map is the mean over five instants spread over the length, each with the frame that is shown then: what is shown
longer counts more, and a blank first frame no more than its share. Where reaching these frames costs more than the
largest still picture does, only the frames at the start are used.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from gazecrop.picture.containers.walk import Disposal, Frame, Walk

INSTANTS = 5
# Pixels decoded for one map: as many as the largest still picture may have (GAZECROP_MAX_MEGAPIXELS).
MOST_PIXELS = 30_000_000
SHORTEST, DEFAULT = 10.0, 100.0  # milliseconds: browsers show a frame of at most 10 ms for 100 ms


@dataclass(frozen=True, slots=True)
class Sample:
    """`frames`: whose mean the map is, ascending. `weights`: instants at which each is shown. `order`: all frames that
    must be decoded for them, ascending. `pixels`: the sum of their sizes."""

    frames: tuple[int, ...]
    weights: tuple[int, ...]
    order: tuple[int, ...]
    pixels: int


def sample_of(walk: Walk) -> Sample:
    """Of an animation, that is a walk with `frames`."""
    found = _spread(walk, walk.frames)
    if found.pixels > MOST_PIXELS:
        sums = list(accumulate(frame.pixels for frame in walk.frames))
        found = _spread(walk, walk.frames[: max(1, bisect_right(sums, MOST_PIXELS))])
    return found


def shown_for(frame: Frame) -> float:
    """Milliseconds."""
    return frame.delay if frame.delay > SHORTEST else DEFAULT


def _spread(walk: Walk, frames: Sequence[Frame]) -> Sample:
    ends = list(accumulate(map(shown_for, frames)))
    instants = [(2 * i + 1) / (2 * INSTANTS) * ends[-1] for i in range(INSTANTS)]
    counted = Counter(min(bisect_right(ends, instant), len(frames) - 1) for instant in instants)
    chosen = sorted(counted)
    order: list[int] = []
    for index in chosen:
        done = order[-1] if order else -1
        start = index
        while start > done + 1 and not _starts(walk, frames, start, index):
            start -= 1
        order += range(start, index + 1)
    pixels = sum(frames[index].pixels for index in order)
    return Sample(tuple(chosen), tuple(counted[index] for index in chosen), tuple(order), pixels)


def _starts(walk: Walk, frames: Sequence[Frame], index: int, target: int) -> bool:
    """Whether the canvas after frame `target` is the same if decoding starts at `index` with an empty canvas."""
    if index < target and frames[index].disposal == Disposal.RESTORE:
        return False
    if _fills(walk, frames[index]) and not frames[index].blend:
        return True
    before = frames[index - 1]
    return _fills(walk, before) and before.disposal == Disposal.CLEAR


def _fills(walk: Walk, frame: Frame) -> bool:
    return (frame.x, frame.y, frame.width, frame.height) == (0, 0, walk.width, walk.height)
