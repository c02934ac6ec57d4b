"""Bytes at the peak of one piece of work, in a process of its own: FILE PURPOSE FORMAT WIDTH on the command line.

Prints the peak of resident memory above that before the work, and what `picture.memory` charges. Linux only: the peak
is reset by writing to /proc/self/clear_refs.
"""

import ctypes
import gc
import json
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from gazecrop.concurrency.background import return_large_blocks
from gazecrop.crop.placing import Box
from gazecrop.picture import memory
from gazecrop.picture.decode import Limits, decode
from gazecrop.picture.explain import drawing_size, explain
from gazecrop.picture.heatmap import heat_map
from gazecrop.picture.probe import inspect
from gazecrop.picture.render import crop, output_size

SHAPES = [(240, 320), (320, 240)]
LIMITS = Limits(10**9, 10**9, 1000)


def work(data: bytes, purpose: str, format: str, width: int) -> tuple[Callable[[], object], int]:
    """The work and its charge. width: of the output, 0 for that of the picture."""
    header = inspect(data, SHAPES)
    size = (header.width, header.height)
    levels = np.arange(1200, dtype=np.uint8).reshape(30, 40) % 32
    if purpose == "map":
        return lambda: decode(data, LIMITS, SHAPES, header), memory.of_map(header, len(data))
    if purpose == "heat map":
        return lambda: heat_map(levels, *size), memory.HEAT_MAP
    if purpose == "explain":
        charge = memory.of_explanation(header, len(data), drawing_size(*size), format)
        return lambda: explain(data, levels, [(0.5, 0.5, 1.0)], format=format, limits=LIMITS), charge
    box = Box(0, 0, *size)
    made = output_size(*size, width or None, None)
    charge = memory.of_crop(header, len(data), (0, 0, *size), made, format)
    return lambda: crop(data, box, width=width or None, format=format, limits=LIMITS), charge


def resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")


def main(file: str, purpose: str, format: str, width: str) -> None:
    return_large_blocks()
    for name in ("JPEG", "PNG", "WEBP", "AVIF"):  # loads what Pillow loads once
        small = BytesIO()
        Image.new("RGBA" if name != "JPEG" else "RGB", (64, 64), "red").save(small, name)
        for warm in ("map", "crop", "explain", "heat map"):
            work(small.getvalue(), warm, name.lower(), 0)[0]()
    run, charge = work(Path(file).read_bytes(), purpose, format, int(width))
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the warming left would be used again, and not be counted
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    kept = run()
    print(json.dumps({"peak": resident("VmHWM") - before, "charge": charge}))
    del kept


if __name__ == "__main__":
    main(*sys.argv[1:])
