"""The stages that make the shipped network, in order. Each is resumable: a file that exists is not made again.

    python -m model_store.recipe.run            # about eight hours on two cores: `make network`
    python -m model_store.recipe.run --smoke    # every stage on 24 pictures of each kind: minutes, a useless network

The stages that only measure the network are in evidence.py.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from model_store.recipe import data
from model_store.recipe.make import (
    blend,
    calibrate,
    calibrate_objects,
    compose,
    detect,
    distil,
    export,
    finetune,
    maps,
    plain,
    prune,
    quantise,
    teachers,
)
from model_store.recipe.options import parse

Stages = dict[str, Callable[[], None]]


@dataclass(frozen=True)
class Options:
    smoke: bool = False


SHIPPED = "gaze-2"
# The student before pruning, after pruning, and after composed pictures were added, which is the released gaze-1. Their
# crop scores on "val": 60.0, 58.7, 59.3 (model card, Pruning).
STUDENTS: tuple[dict[str, Any], ...] = (
    {"name": "distilled", "start": "plain-lite0", "epochs": 3, "frozen": True},
    {"name": "pruned", "start": "prune-6", "epochs": 12, "int8": True},
    {
        "name": "composed",
        "start": "pruned",
        "kinds": "gaze,photos,squashed,composed",
        "epochs": 5,
        "int8": True,
    },
)
# Then from the transformer's maps, with the second output. Crop scores on "val": 60.8 (draft), 59.5 (boxes), 60.8 (the
# blend of both, and the last two, in which only the second output's layers learn). The last one ships.
WITH_OBJECTS: dict[str, Any] = {"kinds": "gaze,photos,squashed", "int8": True, "harmed": 0.2}
OBJECT_STUDENTS: tuple[dict[str, Any], ...] = (
    WITH_OBJECTS
    | {
        "name": "gaze-2-draft",
        "start": "composed",
        "epochs": 4,
        "mirror": 0.5,
        "objects": 0.15,
        "zoomed": 0.25,
    },
    WITH_OBJECTS
    | {
        "name": "gaze-2-boxes",
        "start": "gaze-2-draft",
        "epochs": 4,
        "mirror": 0.5,
        "objects": 0.6,
        "zoomed": 0.3,
    },
    WITH_OBJECTS
    | {
        "name": "gaze-2-apart",
        "start": "gaze-2-blend",
        "epochs": 3,
        "detector": True,
        "objects": 1.0,
        "zoomed": 0.3,
    },
    WITH_OBJECTS
    | {
        "name": "gaze-2",
        "start": "gaze-2-apart",
        "epochs": 4,
        "rate": 1.5e-3,
        "detector": True,
        "objects": 1.0,
        "zoomed": 0.3,
        "harmed": 0.15,
        "often": 2,
    },
)
TRANSFORMER = finetune.MEMBERS[0]


def stages(smoke: bool) -> Stages:
    """Name of a stage -> the function that runs it."""
    few = 1 if smoke else None

    def student(one: dict[str, Any]) -> Callable[[], None]:
        return lambda: distil.main(distil.Options(**one | {"epochs": few or one["epochs"], "smoke": smoke}))

    return {
        "data": lambda: data.build(data.Options(smoke=smoke)),
        "compose": lambda: compose.build(compose.Options(smoke=smoke)),
        "teachers": lambda: teachers.main(teachers.Options(epochs=few or 5, smoke=smoke)),
        "maps": lambda: maps.main(maps.Options(smoke=smoke)),
        "plain": lambda: plain.main(
            plain.Options(name="plain-lite0", body="lite0", epochs=few or 6, smoke=smoke)
        ),
        "distil": student(STUDENTS[0]),
        "prune": lambda: prune.main(
            prune.Options(steps=1, probes=1, smoke=True) if smoke else prune.Options()
        ),
        **{f"distil {one['name']}": student(one) for one in STUDENTS[1:]},
        "transformer": lambda: finetune.main(
            replace(TRANSFORMER, epochs=few or TRANSFORMER.epochs, smoke=smoke)
        ),
        "its maps": lambda: maps.main(
            maps.Options(members=TRANSFORMER.name, shards="gaze,photos", smoke=smoke)
        ),
        "detect": lambda: detect.main(detect.Options(smoke=smoke)),
        **{f"distil {one['name']}": student(one) for one in OBJECT_STUDENTS[:2]},
        "blend": lambda: blend.main(blend.Options(smoke=smoke)),
        **{f"distil {one['name']}": student(one) for one in OBJECT_STUDENTS[2:]},
        "export": lambda: export.main(
            export.Options(checkpoint=OBJECT_STUDENTS[-1]["name"], name=SHIPPED, smoke=smoke)
        ),
        "int8": lambda: quantise.main(quantise.Options(name=SHIPPED, smoke=smoke)),
        "objects": lambda: calibrate_objects.main(calibrate_objects.Options(name=SHIPPED, smoke=smoke)),
        "calibrate": lambda: calibrate.main(calibrate.Options(name=SHIPPED, epochs=few or 4, smoke=smoke)),
    }


def run(stages: Stages) -> None:
    for name, stage in stages.items():
        started = time.time()
        print(f"== {name}", flush=True)
        stage()
        print(f"== {name}: {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    run(stages(parse(Options).smoke))
