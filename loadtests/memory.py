"""Memory at the peak of one request, above that before it, over the megapixels of its picture."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

SIDES = (4000, 3000)
Ask = Callable[[str, bytes], object]


def _resident(process: int, name: str) -> int:
    """Bytes: VmRSS now, VmHWM at its peak."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def _file(picture: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def per_megapixel(
    process: int, ask: Ask, photograph: bytes, sides: tuple[int, int] = SIDES
) -> Iterator[tuple[str, float]]:
    """(what, MB per megapixel). ask(path, body) is a POST to the server that is this process. Linux only: the peak is
    reset by writing to clear_refs."""
    with Image.open(io.BytesIO(photograph)) as opened:
        picture = opened.convert("RGB").resize(sides)
    files = {
        "JPEG": _file(picture, "JPEG", quality=80),
        "progressive JPEG": _file(picture, "JPEG", quality=80, progressive=True),
        "PNG": _file(picture, "PNG", compress_level=1),
    }
    for path, of in (("/v1/images", "an upload"), ("/v1/crop?ratio=4:3&format=jpeg", "a whole crop")):
        for name, data in files.items():
            peaks = []
            for _ in range(3):  # the first also loads what a format needs once
                Path(f"/proc/{process}/clear_refs").write_text("5")
                before = _resident(process, "VmRSS")
                ask(path, data + os.urandom(8))
                peaks.append(_resident(process, "VmHWM") - before)
            yield f"{of}, {name}", min(peaks) / (sides[0] * sides[1])
