"""Stage 7b, speed: every file of the manifest and Twitter's network at its own input size, one thread, one runtime.

    python -m model_store.recipe.speed

CPU time of the calling thread, which does all the work, the median of runs taken in turn: other load on the
machine moves it little. The ratios count, not the milliseconds.
"""

import json
import time
from dataclasses import dataclass

import numpy as np

from model_store.recipe import data
from model_store.recipe.export import manifest, session
from model_store.recipe.options import STORE, parse


@dataclass(frozen=True)
class Options:
    runs: int = 12
    smoke: bool = False


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    store = folder if options.smoke else STORE
    paths = [
        store / file["file"] for one in manifest(store)["networks"].values() for file in one["files"].values()
    ]
    if not (folder / "fastgaze.onnx").exists():
        from model_store.recipe.peers import export_fastgaze

        export_fastgaze(folder / "fastgaze.onnx")
    runs = {path.name: (session(path), np.zeros((1, *data.SHAPE, 3), np.uint8)) for path in paths}
    runs["Twitter's network, 800x600"] = (
        session(folder / "fastgaze.onnx"),
        np.zeros((1, 600, 800, 3), np.uint8),
    )
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(options.runs + 1):
        for name, (run, picture) in runs.items():
            for _ in range(1 if name.startswith("Twitter") else 5):
                started = time.thread_time()
                run.run(None, {"picture": picture})
                if turn:  # the first is for warming
                    times[name].append(1e3 * (time.thread_time() - started))
    found = {name: round(float(np.median(values)), 2) for name, values in times.items()}
    slow = found["Twitter's network, 800x600"]
    table = {name: {"ms": ms, "faster": round(slow / ms, 1)} for name, ms in found.items()}
    (store / "speed.json").write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main(parse(Options))
