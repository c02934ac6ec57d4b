"""Leave one collection out: trained without a collection, scored on all of it. This is the best estimate of the score
on a user's pictures, which no network was trained on.

    python -m model_store.recipe.judge.leave_out              # the plain networks, 3 short trainings
    python -m model_store.recipe.judge.leave_out --distilled  # and students made as the shipped one, from a transformer
                                                              # trained without the collection: 5 hours on two cores

Writes {collection: {network: scores}} to leave-out.json in the work folder. Expected crop scores of the plain network:
47.7 (mit1003), 60.9 (osie), 52.7 (eyecrowd).
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
TEACHER = "contextual-lite"  # the best one on its own; together() averages it with both plain networks


@dataclass(frozen=True)
class Options:
    epochs: int = (
        4  # of the plain networks; fewer than the usual six, because there are fewer pictures to learn from
    )
    distilled: bool = False  # all of KINDS instead of the plain network alone
    taught: int = 2  # epochs of the teacher
    tuned: int = 5  # epochs of the transformer
    learned: int = 2  # epochs of its unpruned student
    again: int = 4  # epochs of its pruned student
    only: str = ""  # one collection
    threads: int = 2
    smoke: bool = False


def common_options(collection: str, options: Options) -> dict[str, Any]:
    """The options that all stages have in common."""
    return {"without": collection, "threads": options.threads, "smoke": options.smoke}


def plain(collection: str, options: Options, body: str = "mobilenet") -> str:
    """Trains the plain network without a collection and returns the name of its checkpoint."""
    name = f"plain-{body}{ensemble.apart(collection)}"
    common = common_options(collection, options)
    plain_network.main(plain_network.Options(name=name, body=body, epochs=options.epochs, **common))
    return name


def start(collection: str, options: Options) -> str:
    """The same with the student's body, from which distillation starts."""
    return plain(collection, options, "lite0")


def taught(collection: str, options: Options) -> nn.Module:
    """Trains TEACHER without the collection."""
    settings = teachers.Options(kind=TEACHER, epochs=options.taught, **common_options(collection, options))
    return teachers.train(TEACHER, settings, data.folder(options.smoke))


def teacher(collection: str, options: Options) -> str:
    """Exports that teacher alone and returns the name of its file."""
    name = f"teacher-{TEACHER}{ensemble.apart(collection)}"
    path = data.folder(options.smoke) / f"{name}.onnx"
    if not path.exists():
        ensemble.export({TEACHER: taught(collection, options)}, path)
    return name


def together(collection: str, options: Options) -> str:
    """Exports the ensemble of that teacher and both plain networks and returns the name of its file."""
    folder, name = data.folder(options.smoke), f"ensemble{ensemble.apart(collection)}"
    if not (folder / f"{name}.onnx").exists():
        small = [plain_network.load(folder / f"{kind(collection, options)}.pt") for kind in (plain, start)]
        ensemble.export({TEACHER: taught(collection, options)}, folder / f"{name}.onnx", small)
    return name


def tuned(collection: str, options: Options) -> str:
    """Trains a transformer without the collection, writes its maps, and returns the name of those of "gaze"."""
    common = common_options(collection, options)
    settings = finetune.Options(epochs=options.tuned, **common)
    finetune.train(settings)
    maps.main(maps.Options(members=settings.name, shards="gaze,photos", **common))
    return f"gaze-{settings.name}{ensemble.apart(collection)}"


def unpruned(collection: str, options: Options) -> str:
    """Distils a student from the transformer's maps, without the collection, and returns the name of its checkpoint."""
    common = common_options(collection, options)
    tuned(collection, options)
    name = f"unpruned{ensemble.apart(collection)}"
    first = start(collection, options)
    distil.main(distil.Options(name=name, start=first, epochs=options.learned, frozen=True, **common))
    return name


def distilled(collection: str, options: Options) -> str:
    """Prunes that student to the shipped one's cost, distils it again, and returns the name of its checkpoint."""
    common = common_options(collection, options)
    cut = f"prune{ensemble.apart(collection)}"
    settings = prune.Options(name=cut, start=unpruned(collection, options), thin=False, **common)
    prune.main(replace(settings, steps=1, probes=1) if options.smoke else settings)
    name, left = f"distilled{ensemble.apart(collection)}", f"{cut}-{settings.rounds}"
    distil.main(distil.Options(name=name, start=left, epochs=options.again, int8=True, **common))
    return name


def score(name: str, collection: str, options: Options) -> dict[str, object]:
    """Scores a checkpoint, an exported file or stored maps on all pictures of a collection."""
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
