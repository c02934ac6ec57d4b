"""Stage 7b, speed: every file of the manifest and Twitter's network at its own input size, one thread, one runtime.

    python -m model_store.recipe.judge.speed

CPU time of the calling thread, which does all the work. A turn runs every file five times and Twitter's network once.
`ms` is the median of all runs; `faster` is the median over the turns of the ratio within a turn, on which other load of
the machine has little effect. Multiply-adds are counted in each file (cost.py). Expected for gaze-1.int8 on an Intel
Xeon with VNNI: 4.9 ms, 94 times as fast as Twitter's network.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_store.recipe import data
from model_store.recipe.crops import input_shape
from model_store.recipe.judge.cost import multiply_adds
from model_store.recipe.make.export import manifest, session
from model_store.recipe.options import STORE, parse

TWITTER = "Twitter's network, 800x600"


@dataclass(frozen=True)
class Options:
    onnx: str = ""  # files, separated by commas; empty: those in manifest.json
    runs: int = 12  # turns, after one for warming up
    write: bool = True  # speed.json beside the manifest
    smoke: bool = False


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    store = folder if options.smoke else STORE
    networks = manifest(store)["networks"].values()
    paths = [Path(name) for name in options.onnx.split(",") if name]
    paths = paths or [store / file["file"] for one in networks for file in one["files"].values()]
    if not (folder / "fastgaze.onnx").exists():
        from model_store.recipe.judge.twitter import export_fastgaze

        export_fastgaze(folder / "fastgaze.onnx")
    files = {path.name: (path, input_shape(path)) for path in paths}
    files[TWITTER] = folder / "fastgaze.onnx", (600, 800)
    generator = np.random.default_rng(0)
    runs = {
        name: (session(path), generator.integers(0, 256, (1, *shape, 3), np.uint8))
        for name, (path, shape) in files.items()
    }
    times: dict[str, list[list[float]]] = {name: [] for name in runs}
    for _ in range(options.runs + 1):  # the first turn is a warm-up and is not counted
        for name, (run, picture) in runs.items():
            times[name].append([])
            for _ in range(1 if name == TWITTER else 5):
                started = time.thread_time()
                run.run(None, {"picture": picture})
                times[name][-1].append(1e3 * (time.thread_time() - started))
    slow = np.array(times[TWITTER][1:])[:, 0]
    table = {}
    for name, (path, shape) in files.items():
        turns = np.array(times[name][1:])
        table[name] = {
            "ms": round(float(np.median(turns)), 2),
            "faster": round(float(np.median(slow / np.median(turns, 1))), 1),
            "multiply_adds": multiply_adds(path, shape),
        }
    if options.write:
        (store / "speed.json").write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main(parse(Options))
