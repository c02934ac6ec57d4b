"""Stage 3b, maps: the map of every picture by each member of the ensemble, and the mean of the members.

    python -m model_store.recipe.make.maps                              # the members of teacher_networks.ENSEMBLE
    python -m model_store.recipe.make.maps --members=dino --shards=gaze # one member; maps that exist are not recomputed

SHARDS-MEMBER.npy has float16 [n, rows, columns], NaN where no map was computed yet; both mirrored passes are averaged.
SHARDS-teacher.npy, which students learn from, has the mean of densities (not of logarithms, in which one teacher that
is confident and wrong would outweigh the others). Maps of "val" give the members' scores; no stage learns from them.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from model_store.recipe import data
from model_store.recipe.make import finetune
from model_store.recipe.make.ensemble import apart
from model_store.recipe.make.export import session
from model_store.recipe.make.plain import scores
from model_store.recipe.make.teacher_networks import ENSEMBLE, KINDS
from model_store.recipe.options import parse

Predictor = Callable[
    [np.ndarray], np.ndarray
]  # uint8 [n, h, w, 3] of data.LARGE -> densities [n, rows, columns]


@dataclass(frozen=True)
class Options:
    members: str = ",".join(ENSEMBLE)
    shards: str = "gaze,photos,composed"  # the pictures of these names
    without: str = ""  # a collection left out, which no member saw either
    threads: int = 2
    smoke: bool = False


def predictor(member: str, options: Options) -> Predictor:
    """A transformer from its checkpoint, in bfloat16 where that is fast, or another network from its exported file."""
    folder, name = data.folder(options.smoke), f"teacher-{member}{apart(options.without)}"
    if member in KINDS:
        run = session(folder / f"{name}.onnx", options.threads)
        return lambda pixels: run.run(None, {"picture": np.ascontiguousarray(pixels)})[0]
    network = finetune.load(folder / f"{name}.pt")
    return lambda pixels: finetune.predict(network, pixels)


def write(member: str, shards: str, options: Options) -> None:
    """Computes the maps that are missing, in the order of the shards."""
    folder, pictures = data.folder(options.smoke), data.read(shards, options.smoke)
    path = folder / f"{shards}-{member}{apart(options.without)}.npy"
    if not path.exists():
        np.save(path, np.full((len(pictures.about), *data.GRID), np.nan, np.float16))
    out = np.load(path, mmap_mode="r+")
    wanted = np.isnan(out[:, 0, 0])
    if options.without:  # a trial of leave_out.py: it does without the squashed collection, to save time
        wanted &= np.array([one["dataset"] != data.SQUASHED for one in pictures.about])
    left = np.flatnonzero(wanted)
    if not len(left):
        return
    predict, pixels, began = predictor(member, options), pictures.pixels(data.LARGE), time.time()
    for i in range(0, len(left), 8):
        some = left[i : i + 8]
        out[some] = predict(pixels[some])
        if i % 400 == 0 or i + 8 >= len(left):
            out.flush()
            print(
                f"{shards}, {member}: {i + len(some)} of {len(left)}, {time.time() - began:.0f} s", flush=True
            )


def mean(members: list[str], shards: str, options: Options) -> np.ndarray:
    """The mean of the members' maps, float32 [n, rows, columns]."""
    end = f"{apart(options.without)}.npy"
    folder = data.folder(options.smoke)
    return np.mean([np.load(folder / f"{shards}-{one}{end}").astype(np.float32) for one in members], 0)


def judge(members: list[str], options: Options) -> dict[str, dict[str, float]]:
    """Scores on "val" of each member and of their mean."""
    gaze = data.read("gaze", options.smoke)
    val = gaze.where("val")
    groups = {one: [one] for one in members} | {"ensemble": members}
    return {name: scores(mean(some, "gaze", options)[val], gaze, val) for name, some in groups.items()}


def main(options: Options) -> None:
    torch.set_num_threads(options.threads)
    members, folder = options.members.split(","), data.folder(options.smoke)
    for shards in options.shards.split(","):
        for member in members:
            write(member, shards, options)
        maps = mean(members, shards, options).astype(np.float16)
        draft = folder / f"{shards}-teacher.draft.npy"
        np.save(draft, maps)
        draft.rename(folder / f"{shards}-teacher{apart(options.without)}.npy")
        if shards == "gaze" and not options.without:
            found = judge(members, options)
            print(json.dumps(found), flush=True)
            (folder / "ensemble.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(parse(Options))
