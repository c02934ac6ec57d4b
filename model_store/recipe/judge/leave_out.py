"""Leave one collection out: trained without a collection, scored on all of it. What a user's pictures are to a network
is best told by this.

    python -m model_store.recipe.judge.leave_out              # the plain networks, 3 short trainings
    python -m model_store.recipe.judge.leave_out --distilled  # and students made as the shipped one, of a transformer
                                                              # that never saw the collection: 5 hours on two cores

{collection: {network: scores}} goes to leave-out.json in the work folder.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from model_store.recipe import data
from model_store.recipe.crops import Judged, map_pairs, network_maps
from model_store.recipe.make import distil, ensemble, finetune, maps, prune, teachers
from model_store.recipe.make import plain as plain_network
from model_store.recipe.options import parse

COLLECTIONS = ("mit1003", "osie", "eyecrowd")
TEACHER = "contextual-lite"  # the best one alone; the plain networks are the others of the ensemble


@dataclass(frozen=True)
class Options:
    epochs: int = 4  # fewer than the plain network's: there is less to learn from
    distilled: bool = False
    taught: int = 2  # epochs of the teacher
    tuned: int = 5  # epochs of the transformer
    learned: int = 2  # epochs of its student, unpruned
    again: int = 4  # epochs of what pruning left of it
    only: str = ""  # one collection
    threads: int = 2
    smoke: bool = False


def alike(collection: str, options: Options) -> dict[str, Any]:
    """What all stages are asked alike."""
    return {"without": collection, "threads": options.threads, "smoke": options.smoke}


def plain(collection: str, options: Options, body: str = "mobilenet") -> str:
    """Trains the plain network without a collection; gives its checkpoint's name."""
    name = f"plain-{body}{ensemble.apart(collection)}"
    common = alike(collection, options)
    plain_network.main(plain_network.Options(name=name, body=body, epochs=options.epochs, **common))
    return name


def start(collection: str, options: Options) -> str:
    """The same of the student's body: what distillation starts from."""
    return plain(collection, options, "lite0")


def taught(collection: str, options: Options) -> nn.Module:
    """A teacher that never saw the collection."""
    asked = teachers.Options(kind=TEACHER, epochs=options.taught, **alike(collection, options))
    return teachers.train(TEACHER, asked, data.folder(options.smoke))


def teacher(collection: str, options: Options) -> str:
    """It alone; gives its exported file's name."""
    name = f"teacher-{TEACHER}{ensemble.apart(collection)}"
    path = data.folder(options.smoke) / f"{name}.onnx"
    if not path.exists():
        ensemble.export({TEACHER: taught(collection, options)}, path)
    return name


def together(collection: str, options: Options) -> str:
    """An ensemble of what there is without the collection: it and both plain networks; its exported file's name."""
    folder, name = data.folder(options.smoke), f"ensemble{ensemble.apart(collection)}"
    if not (folder / f"{name}.onnx").exists():
        small = [plain_network.load(folder / f"{kind(collection, options)}.pt") for kind in (plain, start)]
        ensemble.export({TEACHER: taught(collection, options)}, folder / f"{name}.onnx", small)
    return name


def tuned(collection: str, options: Options) -> str:
    """A transformer without the collection, and its maps; gives the name of those of the pictures with gaze."""
    common = alike(collection, options)
    asked = finetune.Options(epochs=options.tuned, **common)
    finetune.train(asked)
    maps.main(maps.Options(members=asked.name, shards="gaze,photos", **common))
    return f"gaze-{asked.name}{ensemble.apart(collection)}"


def unpruned(collection: str, options: Options) -> str:
    """A student of the transformer's maps, all without the collection; gives its checkpoint's name."""
    common = alike(collection, options)
    tuned(collection, options)
    name = f"unpruned{ensemble.apart(collection)}"
    first = start(collection, options)
    distil.main(distil.Options(name=name, start=first, epochs=options.learned, frozen=True, **common))
    return name


def distilled(collection: str, options: Options) -> str:
    """That student, pruned to the shipped one's cost and distilled again."""
    common = alike(collection, options)
    cut = f"prune{ensemble.apart(collection)}"
    asked = prune.Options(name=cut, start=unpruned(collection, options), thin=False, **common)
    prune.main(replace(asked, steps=1, probes=1) if options.smoke else asked)
    name, left = f"distilled{ensemble.apart(collection)}", f"{cut}-{asked.rounds}"
    distil.main(distil.Options(name=name, start=left, epochs=options.again, int8=True, **common))
    return name


def score(name: str, collection: str, options: Options) -> dict[str, object]:
    """Of a checkpoint, an exported file or stored maps, on all of a collection."""
    gaze, path = data.read("gaze", options.smoke), data.folder(options.smoke) / name
    both = np.concatenate([gaze.where("train"), gaze.where("val")])
    judged = Judged(gaze, both[[gaze.about[i]["dataset"] == collection for i in both]])
    if (file := path.with_suffix(".onnx")).exists():
        found = network_maps(file, gaze.pixels(data.LARGE)[judged.chosen])
    elif (stored := path.with_suffix(".npy")).exists():
        found = np.load(stored)[judged.chosen].astype(np.float32)
    else:
        found = distil.predict(plain_network.load(path.with_suffix(".pt")), gaze.pixels()[judged.chosen])
    pairs = map_pairs(found, judged)
    low, high = pairs.interval()
    return {
        "crop_score": round(pairs.score(), 2),
        "interval": [round(low, 1), round(high, 1)],
        "below_centre": round(pairs.below(), 2),
        "pictures": len(judged.chosen),
    }


KINDS = (plain, start, teacher, together, tuned, unpruned, distilled)


def main(options: Options) -> None:
    path = data.folder(options.smoke) / "leave-out.json"
    for collection in (options.only,) if options.only else COLLECTIONS:
        for kind in KINDS if options.distilled else (plain,):
            row = score(kind(collection, options), collection, options)
            print(collection, kind.__name__, row, flush=True)
            found = json.loads(path.read_text()) if path.exists() else {}
            found.setdefault(collection, {})[kind.__name__] = row
            path.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(parse(Options))
