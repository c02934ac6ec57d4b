"""Leave one collection out: the plain network trained without a collection and scored on all of it. What a
user's pictures are to a network is best told by this.

    python -m model_store.recipe.leave_out             # 3 short trainings, then {collection: scores} in the work folder
"""

import json
from dataclasses import dataclass

import numpy as np
import torch

from model_store.recipe import data, train
from model_store.recipe.crops import Judged, map_pairs
from model_store.recipe.options import parse

COLLECTIONS = ("mit1003", "osie", "eyecrowd")


@dataclass(frozen=True)
class Options:
    epochs: int = 4  # fewer than the plain network's: there is less to learn from
    threads: int = 2
    smoke: bool = False


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    gaze = data.read("gaze", options.smoke)
    every, val = gaze.where("train"), gaze.where("val")
    found: dict[str, dict[str, object]] = {}
    for collection in COLLECTIONS:
        name = f"without-{collection}"
        train.main(
            train.Options(
                name=name,
                without=collection,
                epochs=options.epochs,
                threads=options.threads,
                smoke=options.smoke,
            )
        )
        maps, indices = [], []
        for split, chosen, count in (("train", every, train.VIEWS), ("val", val, 1)):
            network = train.load(folder / f"{name}.pt")
            features, _ = train.cached_lower(
                network, gaze.pixels()[chosen], gaze.maps[chosen], folder / f"lower-{split}", count
            )
            here = np.flatnonzero([gaze.about[i]["dataset"] == collection for i in chosen])
            maps.append(train.predict(network, features[0, torch.from_numpy(here)]))
            indices.append(chosen[here])
        judged = Judged(gaze, np.concatenate(indices))
        pairs = map_pairs(np.concatenate(maps), judged)
        low, high = pairs.interval()
        found[collection] = {
            "crop_score": round(pairs.score(), 2),
            "interval": [round(low, 1), round(high, 1)],
            "below_centre": round(pairs.below(), 2),
            "pictures": len(judged.chosen),
        }
        print(collection, found[collection], flush=True)
        (folder / "leave-out.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(parse(Options))
