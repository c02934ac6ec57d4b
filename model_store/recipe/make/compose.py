"""Stage 1b, compose: new pictures made from the others, as further training pictures with teachers' maps.

    python -m model_store.recipe.make.compose         # about a minute, 9,100 pictures

A student that is trained on the same photographs for many epochs fits its teachers better on them (KL 0.043) than on
"val" (0.068). So a new picture is made from every picture of "train": a part of it, enlarged, or half of it beside
(above) half of another one. There is no human gaze on these; the teachers compute maps of them (Beyer et al. 2022,
arXiv 2106.05237, "a patient and consistent teacher"). Expected gain: 0.6 points of crop score.
"""

import io
import json
from dataclasses import dataclass

import numpy as np
from PIL import Image

from model_store.recipe import data
from model_store.recipe.options import parse

NAME = "composed"


@dataclass(frozen=True)
class Options:
    seed: int = 11  # of the parts and the partners
    smoke: bool = False


def part(pixels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A window of 60 to 95 % of each side, stretched to the size of the picture; uint8 [h, w, 3]."""
    height, width = pixels.shape[:2]
    rows, columns = (round(n * draw.uniform(0.6, 0.95)) for n in (height, width))
    top, left = draw.integers(0, height - rows + 1), draw.integers(0, width - columns + 1)
    window = Image.fromarray(pixels[top : top + rows, left : left + columns])
    return np.asarray(window.resize((width, height), Image.Resampling.BICUBIC))


def both(one: np.ndarray, other: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """35 to 65 % of the columns (or rows) of one picture, the rest from another; uint8 [h, w, 3]."""
    axis = int(draw.integers(0, 2))
    whole = one.shape[axis]
    length = round(whole * draw.uniform(0.35, 0.65))
    lengths = length, whole - length
    cut = [
        np.take(pixels, np.arange(n) + draw.integers(0, whole - n + 1), axis)
        for pixels, n in zip((one, other), lengths, strict=True)
    ]
    return np.concatenate(cut, axis)


def build(options: Options) -> None:
    """Writes the files that data.read("composed") reads."""
    folder = data.folder(options.smoke)
    if (folder / f"{NAME}.json").exists():
        return
    sets = [data.read("gaze", options.smoke), data.read("photos", options.smoke)]
    pixels = [pictures.pixels(data.LARGE) for pictures in sets]
    sources = [(which, int(i)) for which in (0, 1) for i in sets[which].where("train", gaze=False)]
    shapes = {f"{data.SHAPE[0]}": data.SHAPE, f"{data.LARGE[0]}": data.LARGE, "worn": data.SHAPE}
    out = {
        name: np.lib.format.open_memmap(
            folder / f"{NAME}-{name}.npy", "w+", np.uint8, (len(sources), *shape, 3)
        )
        for name, shape in shapes.items()
    }
    draw = np.random.default_rng(options.seed)
    for k, (which, i) in enumerate(sources):
        one = pixels[which][i]
        if k % 2:
            which, i = sources[int(draw.integers(0, len(sources)))]
            one = both(one, pixels[which][i], draw)
        else:
            one = part(one, draw)
        small = Image.fromarray(one).resize(data.SHAPE[::-1], Image.Resampling.BICUBIC)
        saved = io.BytesIO(data.worn(small, draw))
        poor = Image.open(saved).resize(small.size, Image.Resampling.BICUBIC)
        for name, image in zip(out, (small, one, poor), strict=True):
            out[name][k] = np.asarray(image)
    np.save(folder / f"{NAME}-maps.npy", np.zeros((len(sources), *data.GRID), np.float32))
    np.savez(
        folder / f"{NAME}-fixations.npz",
        points=np.zeros((0, 3), np.float32),
        ends=np.zeros(len(sources), np.int64),
    )
    height, width = data.LARGE
    about = [
        {"key": f"{NAME}-{k}", "dataset": NAME, "split": "train"}
        | {"width": width, "height": height, "observers": 0, "map": False}
        for k in range(len(sources))
    ]
    (folder / f"{NAME}.json").write_text(json.dumps(about))
    print(f"{len(sources)} composed pictures")


if __name__ == "__main__":
    build(parse(Options))
