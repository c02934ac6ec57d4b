"""Stage 2, the plain network: ImageNet features and a small decoder, trained on human gaze alone (gaze-0).

    python -m model_store.recipe.make.plain                       # 6 minutes on two cores
    python -m model_store.recipe.make.plain --without=osie        # the same, trained without one collection

Expected on "val": crop score 57.3, NSS 2.21 (with --body=lite0: 57.9, 2.23). The lower layers are frozen, and their
outputs are cached once for every view.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data, metrics
from model_store.recipe.make import imagenet
from model_store.recipe.make.backbones import Widths
from model_store.recipe.make.learn import Learner, groups, of_heads
from model_store.recipe.make.losses import gaze_loss
from model_store.recipe.make.network import Student
from model_store.recipe.options import parse

VIEWS = 4  # the picture, its mirror image, and both in other colours


@dataclass(frozen=True)
class Options:
    name: str = "plain"
    body: str = "mobilenet"  # a name of backbones.BODIES
    without: str = ""  # a collection left out of training, to be scored on it afterwards
    half: int = -1  # 0 or 1: train on that half of "train" alone, for calibrate.py; -1: on all of it
    epochs: int = 6  # the score on val is best after 4 to 6; later the network overfits
    batch: int = 16
    rate: float = 2e-3  # of the new decoder
    backbone: float = 0.1  # factor of the rate for the pre-trained layers
    decay: float = 0.02  # weight decay of AdamW
    average: float = 0.995  # of the weights, exponentially: about the last 200 steps
    seed: int = 1
    threads: int = 2
    smoke: bool = False


def views(pixels: Tensor, maps: Tensor, view: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One of VIEWS of pictures uint8 [n, h, w, 3] and their maps [n, rows, columns] (or [n, k, rows, columns]).

    No view is cut: people look at the middle of the picture they were shown, not at the middle of a part of it. Zoomed
    views cost 1.7 % of NSS.
    """
    if view >= 2:  # brightness, contrast and colour within 25 %
        x = pixels.permute(0, 3, 1, 2).float()
        gain = 0.75 + 0.5 * torch.rand(len(pixels), 3, 1, 1, 1, generator=generator)
        x = x * gain[:, 0]
        middle, grey = x.mean((1, 2, 3), keepdim=True), x.mean(1, keepdim=True)
        x = middle + (x - middle) * gain[:, 1]
        x = grey + (x - grey) * gain[:, 2]
        pixels = x.clamp(0, 255).round().byte().permute(0, 2, 3, 1)
    return (pixels.flip(2), maps.flip(-1)) if view % 2 else (pixels, maps)


def cached_lower(
    student: Student, pixels: np.ndarray, maps: np.ndarray, path: Path, count: int = VIEWS
) -> tuple[Tensor, Tensor]:
    """The frozen layers' outputs for `count` views, float16 [views, n, c, h, w] (channels last in memory), and the
    views' maps [views, n, ...].

    They are cached in PATH-ID.npy and used again if the number of pictures is the same.
    """
    path = path.with_name(f"{path.name}-{student.lower_id()}")
    kept = path.with_suffix(".npy"), path.with_suffix(".maps.npy")
    if not (kept[1].exists() and np.load(kept[1], mmap_mode="r").shape[:2] == (count, len(pixels))):
        generator = torch.Generator().manual_seed(0)
        features: np.ndarray | None = None
        targets = np.empty((count, *maps.shape), np.float32)
        with torch.no_grad():
            for view in range(count):
                for start in range(0, len(pixels), 32):
                    part = torch.from_numpy(np.ascontiguousarray(pixels[start : start + 32]))
                    x, y = views(part, torch.from_numpy(maps[start : start + 32]), view, generator)
                    z = student.lower(x).half().permute(0, 2, 3, 1).numpy()
                    if features is None:
                        features = np.lib.format.open_memmap(
                            kept[0], "w+", np.float16, (count, len(pixels), *z.shape[1:])
                        )
                    features[view, start : start + 32] = z
                    targets[view, start : start + 32] = y
        np.save(kept[1], targets)
    return (torch.from_numpy(np.load(kept[0])).permute(0, 1, 4, 2, 3), torch.from_numpy(np.load(kept[1])))


def predict(student: Student, features: Tensor) -> np.ndarray:
    """Densities float32 [n, rows, columns] from cached features [n, c, h, w]."""
    student.eval()
    return densities(lambda part: student.upper(features[part].float()), len(features))


def densities(log_p: Callable[[slice], Tensor], count: int, size: int = 32) -> np.ndarray:
    """float32 [n, rows, columns] of `count` pictures: `log_p` gives the log densities of a part of at most `size`."""
    with torch.no_grad():
        return torch.cat([log_p(slice(i, i + size)).exp() for i in range(0, count, size)]).numpy()


def scores(maps: np.ndarray, gaze: data.Pictures, chosen: np.ndarray) -> dict[str, float]:
    """NSS, CC, KL and crop score of maps for the chosen pictures."""
    points = [gaze.points[i] for i in chosen]
    pairs = metrics.window_pairs(list(maps), gaze.sizes(chosen), points)
    return {
        "nss": float(np.mean([metrics.nss(m, f) for m, f in zip(maps, points, strict=True)])),
        "cc": float(np.mean([metrics.cc(m, gaze.maps[i]) for m, i in zip(maps, chosen, strict=True)])),
        "kl": float(np.mean([metrics.kl(m, gaze.maps[i]) for m, i in zip(maps, chosen, strict=True)])),
        "crop": pairs.score(),
        "below": pairs.below(),
    }


def save(student: Student, path: Path, about: dict[str, object]) -> None:
    torch.save({"state": student.state_dict(), "widths": student.widths.as_json(), "about": about}, path)


def load(path: Path) -> Student:
    """A student from a checkpoint of any stage."""
    stored = torch.load(path, weights_only=True)
    student = Student(Widths.from_json(stored["widths"]))
    student.load_state_dict(stored["state"])
    return student.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def learner(student: Student, options: Options, steps: int) -> Learner:
    """A learner in which the decoder learns faster than the pre-trained layers."""
    return Learner(
        student,
        groups(student, of_heads, options.rate, options.backbone),
        steps=steps,
        warm=max(1, steps // 20),
        decay=options.decay,
        average=options.average,
    )


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    folder = data.folder(options.smoke)
    final = folder / f"{options.name}.pt"
    if final.exists():
        return
    gaze = data.read("gaze", options.smoke)
    every, val = gaze.where("train"), gaze.where("val")
    train = gaze.where("train", without=options.without)
    if options.half >= 0:
        train = np.array([i for i in train if data.fold(gaze.about[i]["key"] + "/half") % 2 == options.half])
    student = imagenet.student(options.body)

    started = time.time()
    pixels = gaze.pixels()
    features, targets = cached_lower(student, pixels[every], gaze.maps[every], folder / "lower-train")
    mine = np.flatnonzero(np.isin(every, train))  # rows of the cache that this training uses
    features, targets = features[:, mine], targets[:, mine]
    judged, _ = cached_lower(student, pixels[val], gaze.maps[val], folder / "lower-val", 1)
    print(f"cached {features.shape} in {time.time() - started:.0f} s", flush=True)

    its = learner(student, options, options.epochs * -(-len(train) // options.batch))

    def judge(network: Student) -> dict[str, float]:
        return scores(predict(network, judged[0]), gaze, val)

    resume = folder / f"{options.name}.resume.pt"
    for epoch in its.epochs(options.epochs, resume, judge, options.name):
        draw = torch.Generator().manual_seed(options.seed * 1000 + epoch)
        for batch in torch.randperm(len(train), generator=draw).split(options.batch):
            view = torch.randint(0, VIEWS, (len(batch),))
            its.step(gaze_loss(student.upper(features[view, batch].float()), targets[view, batch]).mean())
    save(its.mean, final, {"log": its.log})
    resume.unlink(missing_ok=True)


if __name__ == "__main__":
    main(parse(Options))
