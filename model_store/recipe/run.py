"""All stages in order, each resumable: what is there is not made again.

python -m model_store.recipe.run            # about three hours on two cores
python -m model_store.recipe.run --smoke    # every stage on a handful of pictures, minutes, nothing of use
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from model_store.recipe import (
    calibrate,
    card,
    data,
    distil,
    evaluate,
    export,
    leave_out,
    prune,
    quantise,
    speed,
    teachers,
    train,
)
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Options:
    smoke: bool = False


# Name, start, epochs, int8, rate: what ships is the smallest that beats the plain network on "val".
DISTILLED = (
    ("pruned-3", "prune-3", 4, True, 1e-3),
    ("pruned-3-int8", "pruned-3", 2, True, 4e-4),  # ships; the lower layers, frozen, are rounded too by then
    ("pruned-4", "prune-4", 5, True, 1e-3),
    ("pruned-6", "prune-6", 3, False, 1e-3),
    ("pruned-6-more", "pruned-6", 6, True, 1e-3),
)


def stages(smoke: bool) -> dict[str, Callable[[], None]]:
    few = 1 if smoke else None

    def epochs(normal: int) -> int:
        return few or normal

    def pruned(name: str, start: str, normal: int, int8: bool, rate: float) -> Callable[[], None]:
        return lambda: distil.main(
            distil.Options(
                name=name, start=start, epochs=epochs(normal), views=2, int8=int8, rate=rate, smoke=smoke
            )
        )

    return {
        "data": lambda: data.build(data.Options(smoke=smoke)),
        "plain": lambda: train.main(train.Options(epochs=epochs(6), smoke=smoke)),
        "export gaze-0": lambda: export.main(export.Options(default=False, smoke=smoke)),
        "calibrate gaze-0": lambda: calibrate.main(calibrate.Options(epochs=epochs(4), smoke=smoke)),
        "leave out": lambda: leave_out.main(leave_out.Options(epochs=epochs(4), smoke=smoke)),
        "teachers": lambda: teachers.main(teachers.Options(epochs=epochs(3), smoke=smoke)),
        "prune": lambda: prune.main(
            prune.Options(steps=1, probes=1, smoke=True) if smoke else prune.Options()
        ),
        "distil unpruned": lambda: distil.main(distil.Options(epochs=epochs(3), smoke=smoke)),
        **{f"distil {one[0]}": pruned(*one) for one in DISTILLED},
        "export gaze-1": lambda: export.main(
            export.Options(checkpoint="pruned-3-int8", name="gaze-1", smoke=smoke)
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
