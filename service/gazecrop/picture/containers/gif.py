"""GIF89a: its size, the first image with the blocks that it depends on, and the frames of an animation."""

import struct
from contextlib import suppress

from gazecrop.picture.containers.walk import MAX_PARTS, MOST_FRAMES, Disposal, Frame, Walk, too_many

_EXTENSION, _IMAGE = 0x21, 0x2C
_CONTROL, _APPLICATION = 0xF9, 0xFF
_LOOPING = (b"\x0bNETSCAPE2.0", b"\x0bANIMEXTS1.0")
_DISPOSAL = {2: Disposal.CLEAR, 3: Disposal.RESTORE}  # 0, 1 and the undefined values: keep


def walk_gif(data: bytes, most: int = MAX_PARTS) -> Walk:
    """GIF89a, 18 to 26. The first image may exceed the logical screen, the canvas is then as large. Frames end with the
    first one that is cut off or broken."""
    return _Reader(data, most).walk()


class _Reader:
    def __init__(self, data: bytes, most: int) -> None:
        self.data = data
        self.most = most
        self.blocks = 0
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        self.at = 13 + _palette(flags)
        self.controls: list[slice] = []  # those that apply to the next image
        self.found = Walk(width, height, parts=[slice(0, self.at)], plays=1)

    def walk(self) -> Walk:
        walk = self.found
        self._extensions()
        if self.data[self.at] != _IMAGE:
            raise ValueError("no picture")
        x, y, columns, rows = struct.unpack_from("<HHHH", self.data, self.at + 1)
        walk.width, walk.height = max(walk.width, x + columns), max(walk.height, y + rows)
        walk.parts += [*self.controls, slice(self.at, None)]
        walk.mode = "P+" if any(self.data[control.start + 3] & 1 for control in self.controls) else "P"
        if (columns, rows) != (walk.width, walk.height):
            walk.frame = Frame(x, y, columns, rows, [*self.controls, slice(self.at, None)])
        frames: list[Frame] = []
        with suppress(IndexError, struct.error):
            try:
                self._frames(frames)
            except ValueError:
                walk.partial = True
        if len(frames) > 1:
            walk.frames, walk.count = frames, self.count
        return walk

    def _frames(self, frames: list[Frame]) -> None:
        self.count = 0
        while self.data[self.at] == _IMAGE:
            frame = self._image()
            if frame is None:
                return
            self.count += 1
            if len(frames) < MOST_FRAMES:
                frames.append(frame)
            self.controls = []
            self._extensions()

    def _image(self) -> Frame | None:
        """The image and its end. None: it is larger than the canvas, which real ones never are."""
        start = self.at
        x, y, columns, rows, flags = struct.unpack_from("<HHHHB", self.data, start + 1)
        if columns > self.found.width or rows > self.found.height:
            return None
        self.at += 11 + _palette(flags)  # with the code size of LZW
        self._sub_blocks()
        delay, disposal, transparent = 0, 0, False
        if self.controls:
            flags, delay = struct.unpack_from("<BH", self.data, self.controls[-1].start + 3)
            disposal, transparent = flags >> 2 & 7, bool(flags & 1)
        kept = _DISPOSAL.get(disposal, Disposal.KEEP)
        parts = [*self.controls, slice(start, self.at)]
        return Frame(x, y, columns, rows, parts, 10.0 * delay, kept, blend=transparent)

    def _extensions(self) -> None:
        data = self.data
        while data[self.at] == _EXTENSION:
            start, label = self.at, data[self.at + 1]
            self.at += 2
            self._count()
            self._sub_blocks()
            if label == _CONTROL:
                self.controls.append(slice(start, self.at))
            elif label == _APPLICATION and data[start + 2 : start + 14] in _LOOPING and data[start + 15] == 1:
                again = int.from_bytes(data[start + 16 : start + 18], "little")
                # Browsers take it for the number of repetitions. gif2webp adds 1 likewise.
                self.found.plays = again + 1 if again else 0

    def _sub_blocks(self) -> None:
        data, at, left = self.data, self.at, self.most - self.blocks
        while length := data[at]:
            at += 1 + length
            left -= 1
            if left < 0:
                raise too_many(self.most)
        self.at, self.blocks = at + 1, self.most - left

    def _count(self) -> None:
        self.blocks += 1
        if self.blocks > self.most:
            raise too_many(self.most)


def _palette(flags: int) -> int:
    """Bytes of the colour table that follows."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
