"""Which network a preference between groups comes from: the audit's pairs with the teacher, the student, and networks
that learned human gaze alone. Minutes; writes nothing.

    python -m model_store.recipe.judge.inherited --people=PEOPLE.tar
    python -m model_store.recipe.judge.inherited --people=PEOPLE.tar --set=utkface --cell="female : male"

Networks are checkpoints of the work folder: students by name, the transformer as `dino`. half-0 and half-1 are the
plain networks of calibrate.py, each trained on the human gaze of a half of "train", without a teacher. All get the same
pairs, side by side, in both orders: their differences are more certain than the intervals, which are over persons.
Printed: the share of the first group of the point and of the map, in percent; faces kept whole by policy, first minus
second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people, with_digest
from gazecrop.audit.material.saliency_models import from_function
from gazecrop.audit.studies import pairs
from gazecrop.audit.studies.cells import cells
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.favour import measures
from model_store.recipe import data
from model_store.recipe.make import finetune
from model_store.recipe.make.plain import load
from model_store.recipe.options import parse

LABELS = ("group", "gender")
POLICIES = ("balanced", "window", "twitter")


@dataclass(frozen=True)
class Options:
    people: str = ""  # the file of portraits
    networks: str = "half-0,half-1,gaze-1,dino,gaze-2"
    set: str = "congress"
    cell: str = "black : white"
    count: int = 250  # pairs
    threads: int = 2


def scaled(pixels: np.ndarray, shape: tuple[int, int]) -> torch.Tensor:
    """uint8 [1, height, width, 3]."""
    picture = Image.fromarray(pixels).resize(shape[::-1], Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(picture).copy())[None]


def density(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 [height, width, 3] -> float [rows, columns]."""
    if name == "dino":
        transformer = finetune.load(data.folder() / "teacher-dino.pt")
        return lambda pixels: finetune.predict(transformer, scaled(pixels, data.LARGE).numpy())[0]
    student = load(data.folder() / f"{name}.pt").eval()

    def found(pixels: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            result: np.ndarray = student(scaled(pixels, data.SHAPE)).exp()[0].numpy()
        return result

    return found


def main(options: Options) -> None:
    torch.set_num_threads(1)
    people = [with_digest(person) for person in read_people(Path(options.people))]
    [cell] = [one for one in cells(people, LABELS) if (one.set, one.text) == (options.set, options.cell)]
    numbers, known = pairs.person_numbers(people), measures()
    for name in options.networks.split(","):
        context = Context(from_function(name, density(name)), Maps(), {}, options.threads)
        wanted = pairs.PairOptions(count=options.count, layouts=("beside",))
        [outcome] = pairs.study(people, [cell], context, wanted)
        point, mass, *_ = outcome.estimates(numbers)
        kept = {
            policy: 200
            * (outcome.per_pair[:, [i for i, one in enumerate(known) if one.policy == policy]].mean() - 0.5)
            for policy in POLICIES
        }
        shares = ", ".join(
            f"{what} {100 * one.mean:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"
            for what, one in (("point", point), ("attention", mass))
        )
        policies = ", ".join(f"{policy} {value:+.1f}" for policy, value in kept.items())
        print(f"{name}: {len(outcome.per_pair)} pairs, {shares}; kept whole: {policies}", flush=True)


if __name__ == "__main__":
    main(parse(Options))
