"""Choice of three hyper-parameters by folds of "train": the weight of NSS in the loss, the mix of human gaze and
teachers' maps, the temperature of these maps.

    python -m model_store.recipe.judge.folds    # about 5 minutes a setting on one core; folds.json in the work folder

For each setting the plain network (layers up to 1/8 frozen and cached) is trained for four epochs on four folds and
scored on the fifth. The teachers were trained on that fold, too, but the student does not learn from their maps of it.
Expected: 51.3 to 53.5 of crop score, best with half human gaze (the table of the model card).
"""

import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.make import imagenet
from model_store.recipe.make import plain as plain_network
from model_store.recipe.make.losses import correlation, divergence, gaze_loss
from model_store.recipe.make.material import teacher_maps
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Setting:
    nss: float = 0.3  # its weight in the loss on human gaze
    human: float = 1.0  # weight of human gaze in the loss; the rest is the weight of the teachers' maps
    temperature: float = 1.0  # above 1 flattens the teachers' maps


SETTINGS = (
    Setting(nss=0.1),
    Setting(),
    Setting(nss=0.6),
    Setting(human=0.75),
    Setting(human=0.5),
    Setting(human=0.25),
    Setting(human=0.5, temperature=0.7),
    Setting(human=0.5, temperature=1.4),
)


@dataclass(frozen=True)
class Options:
    fold: int = 0  # the fold that is scored, 0 to 4
    body: str = "mobilenet"
    epochs: int = 4
    batch: int = 16
    threads: int = 2
    smoke: bool = False


def softened(maps: np.ndarray, temperature: float) -> Tensor:
    """Densities to the power 1 / temperature, scaled to sum to one."""
    flat = torch.from_numpy(maps).clamp_min(1e-9) ** (1 / temperature)
    return flat / flat.sum((1, 2), keepdim=True)


def trial(setting: Setting, options: Options) -> dict[str, float]:
    torch.manual_seed(1)
    folder, gaze = data.folder(options.smoke), data.read("gaze", options.smoke)
    every = gaze.where("train")
    student = imagenet.student(options.body)
    pixels, maps = gaze.pixels()[every], gaze.maps[every]
    features, human = plain_network.cached_lower(student, pixels, maps, folder / "lower-train")
    teacher = softened(teacher_maps("gaze", folder)[every], setting.temperature)
    folds = np.array([data.fold(gaze.about[i]["key"]) for i in every])
    mine, held = (
        torch.from_numpy(np.flatnonzero(folds != options.fold)),
        np.flatnonzero(folds == options.fold),
    )

    steps = options.epochs * -(-len(mine) // options.batch)
    learner = plain_network.learner(student, plain_network.Options(), steps)
    for epoch in range(options.epochs):
        order = mine[torch.randperm(len(mine), generator=torch.Generator().manual_seed(epoch))]
        for batch in order.split(options.batch):
            view = torch.randint(0, plain_network.VIEWS, (len(batch),))
            log_p = student.upper(features[view, batch].float())
            mirrored = (view % 2 == 1)[:, None, None]
            soft = torch.where(mirrored, teacher[batch].flip(2), teacher[batch])
            hard = gaze_loss(log_p, human[view, batch], setting.nss)
            loss = setting.human * hard
            loss = loss + (1 - setting.human) * (divergence(log_p, soft) - correlation(log_p, soft))
            learner.step(loss.mean())
    return plain_network.scores(plain_network.predict(learner.mean, features[0, held]), gaze, every[held])


def main(options: Options) -> None:
    torch.set_num_threads(options.threads)
    path = data.folder(options.smoke) / "folds.json"
    found = json.loads(path.read_text()) if path.exists() else []
    for setting in SETTINGS[:1] if options.smoke else SETTINGS:
        if not any(one["setting"] == asdict(setting) for one in found):
            found.append({"setting": asdict(setting), **trial(setting, options)})
            print(json.dumps(found[-1]), flush=True)
            path.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(parse(Options))
