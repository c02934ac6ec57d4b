"""How far crops move under changes that do not alter what a picture shows, and how much score they lose in worse
pictures.

    python -m model_store.recipe.judge.robustness    # policies `window` and `balanced` as served, 100 pictures of "val"
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from gazecrop.audit.material import transforms
from gazecrop.audit.material.transforms import saved
from model_store.recipe import data, metrics
from model_store.recipe.crops import FileCropper, Judged, read, served_cropper
from model_store.recipe.metrics import Boxes
from model_store.recipe.options import DATA, parse

MOVED = 0.05  # of the frame's side: a visible move


def _noise(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 20, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


# Changes that should not move a crop: four of `gazecrop audit stability`, for the table of stability.
CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "half": transforms.half,
    "q60": transforms.q60,
    "mirror": transforms.mirror,
    "cmyk": transforms.cmyk,
}
# Changes that make a picture worse: its crops should lose little.
HARM: dict[str, Callable[[Image.Image], bytes]] = {
    "noise": lambda image: saved(_noise(image)),
    "darkness": lambda image: saved(ImageEnhance.Brightness(image).enhance(0.3)),
    "blur": lambda image: saved(image.filter(ImageFilter.GaussianBlur(3))),
    "rotation": lambda image: saved(image.transpose(Image.Transpose.ROTATE_90)),
}


def of(cropper: FileCropper, judged: Judged, encoded: Sequence[bytes], count: int) -> dict[str, Any]:
    """Figures of a cropper: `harmed` and `moved` on `count` evenly spread pictures, `moved_large` on the large
    originals, if there are any. Empty if `count` is 0."""
    if not count:
        return {}
    some = np.linspace(0, len(encoded) - 1, min(count, len(encoded))).astype(int)
    files, sizes, points = ([every[i] for i in some] for every in (encoded, judged.sizes, judged.points))
    originals = [Image.fromarray(read(file)) for file in files]
    plain = _boxes(cropper, originals, saved, sizes)
    found = {
        "moved": moved(cropper, originals, plain, sizes),
        "harmed": harmed(cropper, originals, plain, sizes, points),
    }
    large = [Image.fromarray(read(file.read_bytes())) for file in sorted((DATA / "large").glob("*"))]
    if large:
        frames = [image.size for image in large]
        found["moved_large"] = moved(cropper, large, _boxes(cropper, large, saved, frames), frames)
    return found


def moved(
    cropper: FileCropper, originals: Sequence[Image.Image], plain: Boxes, sizes: Sequence[tuple[int, int]]
) -> dict[str, float]:
    """Percent of the crops that a change moves by over 5 % of the side from the `plain` ones, by change."""
    return {
        change: 100
        * float(
            np.mean(
                _shifts(plain, _boxes(cropper, originals, function, sizes), mirrored=change == "mirror")
                > MOVED
            )
        )
        for change, function in CHANGES.items()
    }


def harmed(
    cropper: FileCropper,
    originals: Sequence[Image.Image],
    plain: Boxes,
    sizes: Sequence[tuple[int, int]],
    points: Sequence[np.ndarray],
) -> dict[str, float]:
    """Crop scores by change; "none" is that of the unchanged pictures, whose crops are `plain`."""

    def score(found: Boxes, frames: Sequence[tuple[int, int]], seen: Sequence[np.ndarray]) -> float:
        return metrics.judge(lambda i, name: found[i][name], frames, seen).score()

    result = {"none": score(plain, sizes, points)}
    for change, function in HARM.items():
        turn = change == "rotation"
        # A quarter turn to the left: (x, y) of the picture is (y, 1 - x) of the turned one.
        seen = [np.stack([p[:, 1], 1 - p[:, 0]], 1) for p in points] if turn else points
        frames = [size[::-1] for size in sizes] if turn else sizes
        result[change] = score(_boxes(cropper, originals, function, frames), frames, seen)
    return result


def _boxes(
    cropper: FileCropper,
    originals: Sequence[Image.Image],
    change: Callable[[Image.Image], bytes],
    frames: Sequence[tuple[int, int]],
) -> Boxes:
    return [cropper(change(image), frame) for image, frame in zip(originals, frames, strict=True)]


def _shifts(before: Boxes, after: Boxes, *, mirrored: bool) -> np.ndarray:
    """How far every box moved, as a share of the frame's side; boxes of a mirrored picture are mirrored back first."""
    found = []
    for one, other in zip(before, after, strict=True):
        for name, box in one.items():
            offset = other[name].offset
            if mirrored and box.axis == 0:
                offset = box.side - box.length - offset
            found.append(abs(offset - box.offset) / box.side)
    return np.array(found)


@dataclass(frozen=True)
class Options:
    policies: str = "window,balanced"
    count: int = 100  # pictures of "val", spread evenly


def main(options: Options) -> None:
    every = []
    for sample in data.samples("gaze"):
        about = json.loads(sample["json"])
        if about["split"] == "val":
            every.append((sample["jpg"], (int(about["width"]), int(about["height"]))))
    some = [every[i] for i in np.linspace(0, len(every) - 1, min(options.count, len(every))).astype(int)]
    originals, sizes = [Image.fromarray(read(file)) for file, _ in some], [size for _, size in some]
    for policy in options.policies.split(","):
        cropper = served_cropper(policy)  # type: ignore[arg-type]
        found = moved(cropper, originals, _boxes(cropper, originals, saved, sizes), sizes)
        shown = "  ".join(f"{change} {share:.1f}" for change, share in found.items())
        print(f"{policy:10} moved by over 5 %, % of the crops: {shown}", flush=True)


if __name__ == "__main__":
    main(parse(Options))
