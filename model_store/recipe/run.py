"""All stages in order, each resumable: what is there is not made again.

python -m model_store.recipe.run            # seven and a half hours on two cores, as `make network` runs it
python -m model_store.recipe.run --smoke    # every stage on a handful of pictures, minutes, nothing of use
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_store.recipe import data
from model_store.recipe.judge import evaluate, folds, geometry, leave_out, speed
from model_store.recipe.judge import model_card as card
from model_store.recipe.make import (
    calibrate,
    compose,
    distil,
    export,
    maps,
    prune,
    quantise,
    teachers,
    train,
)
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Options:
    smoke: bool = False


# The student unpruned; pruned; and after more pictures than there are. The last ships.
DISTILLED: tuple[dict[str, Any], ...] = (
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


def stages(smoke: bool) -> dict[str, Callable[[], None]]:
    few = 1 if smoke else None

    def epochs(normal: int) -> int:
        return few or normal

    def distilled(one: dict[str, Any]) -> Callable[[], None]:
        return lambda: distil.main(distil.Options(**one | {"epochs": epochs(one["epochs"]), "smoke": smoke}))

    return {
        "data": lambda: data.build(data.Options(smoke=smoke)),
        "compose": lambda: compose.build(compose.Options(smoke=smoke)),
        "plain": lambda: train.main(train.Options(epochs=epochs(6), smoke=smoke)),
        "export gaze-0": lambda: export.main(export.Options(default=False, smoke=smoke)),
        "calibrate gaze-0": lambda: calibrate.main(calibrate.Options(epochs=epochs(4), smoke=smoke)),
        "teachers": lambda: teachers.main(teachers.Options(epochs=epochs(5), smoke=smoke)),
        "maps": lambda: maps.main(maps.Options(smoke=smoke)),
        "folds": lambda: folds.main(folds.Options(epochs=epochs(4), smoke=smoke)),
        "plain, lite0": lambda: train.main(
            train.Options(name="plain-lite0", body="lite0", epochs=epochs(6), smoke=smoke)
        ),
        "distil": distilled(DISTILLED[0]),
        "prune": lambda: prune.main(
            prune.Options(steps=1, probes=1, smoke=True) if smoke else prune.Options()
        ),
        **{f"distil {one['name']}": distilled(one) for one in DISTILLED[1:]},
        "geometry": lambda: geometry.main(
            geometry.Options(start=DISTILLED[-1]["name"], epochs=epochs(2), smoke=smoke)
        ),
        "leave out": lambda: leave_out.main(
            leave_out.Options(
                epochs=epochs(4),
                distilled=True,
                taught=epochs(2),
                learned=epochs(2),
                again=epochs(4),
                tuned=epochs(5),
                smoke=smoke,
            )
        ),
        "export gaze-1": lambda: export.main(
            export.Options(checkpoint=DISTILLED[-1]["name"], name="gaze-1", smoke=smoke)
        ),
        "int8 gaze-1": lambda: quantise.main(quantise.Options(name="gaze-1", smoke=smoke)),
        "calibrate gaze-1": lambda: calibrate.main(
            calibrate.Options(name="gaze-1", epochs=epochs(4), smoke=smoke)
        ),
        "evaluate": lambda: evaluate.main(
            evaluate.Options(peers=not smoke, moves=6 if smoke else 150, smoke=smoke)
        ),
        "speed": lambda: speed.main(speed.Options(runs=1 if smoke else 12, smoke=smoke)),
        "card": lambda: card.main(card.Options(smoke=smoke)),
    }


def main(options: Options) -> None:
    for name, stage in stages(options.smoke).items():
        started = time.time()
        print(f"== {name}", flush=True)
        stage()
        print(f"== {name}: {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main(parse(Options))
