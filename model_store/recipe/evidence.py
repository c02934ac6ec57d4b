"""The stages that measure the shipped network, after `run.py` has made it. Each is resumable.

    python -m model_store.recipe.evidence           # about three and a half hours on two cores: `make evidence`
    python -m model_store.recipe.evidence --smoke   # every stage on 24 pictures of each kind, after `run --smoke`

The plain MobileNetV2 (`gaze-0`) is trained here because it serves only for comparison: no shipped file depends on it.
"""

from collections.abc import Callable
from dataclasses import replace

from model_store.recipe.judge import (
    detection,
    evaluate,
    folds,
    geometry,
    leave_out,
    model_card,
    speed,
    whole_objects,
)
from model_store.recipe.make import calibrate, export, finetune, plain
from model_store.recipe.options import parse
from model_store.recipe.run import STUDENTS, Options, Stages, run

OBJECTS: Stages = {
    "detection": lambda: detection.main(detection.Options(write=True)),
    "objects": lambda: whole_objects.main(whole_objects.Options(write=True)),
    "detectors' objects": lambda: whole_objects.main(whole_objects.Options(detector=True, write=True)),
}


def stages(smoke: bool) -> Stages:
    """Name of a stage -> the function that runs it."""
    few = 1 if smoke else None

    def transformer(one: finetune.Options) -> Callable[[], None]:
        return lambda: finetune.main(replace(one, epochs=few or one.epochs, smoke=smoke))

    return {
        "plain": lambda: plain.main(plain.Options(epochs=few or 6, smoke=smoke)),
        "export gaze-0": lambda: export.main(export.Options(default=False, smoke=smoke)),
        "calibrate gaze-0": lambda: calibrate.main(calibrate.Options(epochs=few or 4, smoke=smoke)),
        **{f"teacher {one.name}": transformer(one) for one in finetune.MEMBERS},
        "folds": lambda: folds.main(folds.Options(epochs=few or 4, smoke=smoke)),
        "geometry": lambda: geometry.main(
            geometry.Options(start=STUDENTS[-1]["name"], epochs=few or 2, smoke=smoke)
        ),
        "leave out": lambda: leave_out.main(
            leave_out.Options(
                epochs=few or 4,
                distilled=True,
                taught=few or 2,
                learned=few or 2,
                again=few or 4,
                tuned=few or 5,
                smoke=smoke,
            )
        ),
        "evaluate": lambda: evaluate.main(
            evaluate.Options(peers=not smoke, moves=6 if smoke else 150, smoke=smoke)
        ),
        **({} if smoke else OBJECTS),  # both read the pictures and the network that are served
        "speed": lambda: speed.main(speed.Options(runs=1 if smoke else 12, smoke=smoke)),
        "card": lambda: model_card.main(model_card.Options(smoke=smoke)),
    }


if __name__ == "__main__":
    run(stages(parse(Options).smoke))
