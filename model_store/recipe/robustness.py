"""How far crops move, and what they lose, when a picture is changed in ways that change nothing for people."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from model_store.audit import transforms
from model_store.audit.transforms import saved
from model_store.recipe import metrics
from model_store.recipe.export import session
from service.cropping import Cropper
from service.decode import Limits, decode
from service.grid import SaliencyGrid

if TYPE_CHECKING:
    from model_store.recipe.evaluate import Judged

MOVED = 0.05  # of the frame's side: a move that a person sees


def _noise(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 20, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


# What should move no crop: the four of the table of stability, as `gazecrop audit stability` has them.
CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "half": transforms.half,
    "q60": transforms.q60,
    "mirror": transforms.mirror,
    "cmyk": transforms.cmyk,
}
# What makes a picture worse: its crops should lose little.
HARM: dict[str, Callable[[Image.Image], bytes]] = {
    "noise": lambda image: saved(_noise(image)),
    "darkness": lambda image: saved(ImageEnhance.Brightness(image).enhance(0.3)),
    "blur": lambda image: saved(image.filter(ImageFilter.GaussianBlur(3))),
    "rotation": lambda image: saved(image.transpose(Image.Transpose.ROTATE_90)),
}


def measure(path: Path, judged: "Judged", some: np.ndarray, pictures: dict[str, bytes]) -> dict[str, Any]:
    """{"moved": {change: percent of crops whose centre moves over 5 %}, "harmed": {change: crop score}} of a
    file."""
    from model_store.recipe.evaluate import RATIOS, input_shape, served_box

    run, shape = session(path, 2), input_shape(path)
    originals = []
    for i in some:
        with Image.open(BytesIO(pictures[judged.gaze.about[judged.chosen[i]]["key"]])) as image:
            originals.append(image.convert("RGB"))

    def croppers(change: Callable[[Image.Image], bytes], *, turned: bool = False) -> list[Cropper]:
        found = []
        for i, image in zip(some, originals, strict=True):
            width, height = judged.sizes[i][::-1] if turned else judged.sizes[i]
            pixels = decode(change(image), Limits(), [shape]).pixels
            density = run.run(None, {"picture": pixels[None]})[0][0]
            found.append(Cropper(SaliencyGrid.from_density(density, width, height)))
        return found

    def score(found: list[Cropper], frames: list[tuple[int, int]], seen: list[np.ndarray]) -> float:
        return metrics.judge(lambda i, name: served_box(found[i], name), frames, seen).score()

    plain = croppers(saved)
    boxes = {(i, name): served_box(cropper, name) for i, cropper in enumerate(plain) for name in RATIOS}
    moved = {}
    for change, function in CHANGES.items():
        changed, shifts = croppers(function), []
        for (i, name), box in boxes.items():
            other = served_box(changed[i], name)
            offset = other.offset
            if change == "mirror" and box.axis == 0:
                offset = other.side - other.length - other.offset
            shifts.append(abs(offset - box.offset) / box.side > MOVED)
        moved[change] = 100 * float(np.mean(shifts))

    points = [judged.points[i] for i in some]
    sizes = [judged.sizes[i] for i in some]
    harmed = {"none": score(plain, sizes, points)}
    for change, function in HARM.items():
        turn = change == "rotation"
        changed = croppers(function, turned=turn)
        # A quarter turn to the left: (x, y) of the picture is (y, 1 - x) of the turned one.
        seen = [np.stack([p[:, 1], 1 - p[:, 0]], 1) for p in points] if turn else points
        frames = [size[::-1] for size in sizes] if turn else sizes
        harmed[change] = score(changed, frames, seen)
    return {"moved": moved, "harmed": harmed}
