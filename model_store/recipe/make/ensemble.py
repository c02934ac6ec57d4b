"""Stage 3b, the ensemble: the mean of some teachers, and its maps of every picture that may be learned from.

    python -m model_store.recipe.make.ensemble             # a quarter of an hour on two cores
    python -m model_store.recipe.make.ensemble --part=0/2  # one half of the pictures: two processes share the work

Each teacher's map is the mean of the picture's and of its mirror image's, turned back; the ensemble's is the mean of
its members (of densities, not of logarithms: a teacher that is sure and wrong should not veto the others).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.recipe import data
from model_store.recipe.make import imagenet
from model_store.recipe.make.export import session
from model_store.recipe.make.teacher_networks import KINDS, Pyramid
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Options:
    network: str = "ensemble"  # an exported one
    shards: str = "photos,gaze,composed"
    without: str = ""  # a collection left out, which the network never saw either
    part: str = "0/1"  # k/n: only every n-th map from the k-th
    threads: int = 2
    smoke: bool = False


class Ensemble(nn.Module):
    """uint8 pictures of LARGE -> the mean density of the teachers, mirrored passes averaged. What is exported.

    `students` are members, too; they see the picture at their own size.
    """

    def __init__(self, teachers: dict[str, nn.Module], students: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        bodies = {KINDS[name][1] for name in teachers if name in KINDS}
        self.lower = nn.ModuleDict({body: imagenet.student(body) for body in bodies})
        self.teachers = nn.ModuleDict(teachers)
        self.students = nn.ModuleList(students)

    def forward(self, picture: Tensor) -> Tensor:
        total = torch.zeros(1)
        for mirrored in (False, True):
            x = picture.float().flip(2) if mirrored else picture.float()
            eighth = {body: lower.lower(x) for body, lower in self.lower.items()}
            found = []
            for name, teacher in self.teachers.items():
                if name not in KINDS:  # a transformer
                    found.append(teacher(x))
                    continue
                body = KINDS[name][1]
                inputs = [eighth[body]]
                if isinstance(teacher, Pyramid):
                    half = F.avg_pool2d(x.permute(0, 3, 1, 2), 2).round().permute(0, 2, 3, 1)
                    inputs.append(self.lower[body].lower(half))
                found.append(teacher(*inputs))
            if self.students:
                small = F.interpolate(x.permute(0, 3, 1, 2), data.SHAPE, mode="bilinear").permute(0, 2, 3, 1)
                found += [student(small) for student in self.students]
            for log_p in found:
                total = total + (log_p.flip(2) if mirrored else log_p).exp()
        return total / (2 * (len(self.teachers) + len(self.students)))


def export(teachers: dict[str, nn.Module], path: Path, students: Sequence[nn.Module] = ()) -> None:
    """One ONNX file of some teachers; evaluate.py judges it like any other."""
    module = Ensemble(teachers, students).to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    torch.onnx.export(
        module,
        (torch.zeros(2, *data.LARGE, 3, dtype=torch.uint8),),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["picture"],
        output_names=["density"],
        dynamic_axes={"picture": {0: "batch"}, "density": {0: "batch"}},
    )


def apart(without: str) -> str:
    """What the names of everything end in that never saw a collection."""
    return f"-without-{without}" if without else ""


def main(options: Options) -> None:
    for shards in options.shards.split(","):
        write(shards, options)


def write(shards: str, options: Options) -> None:
    """float16 [n, rows, columns], NaN where no map was asked for; goes on where it was stopped."""
    folder, pictures = data.folder(options.smoke), data.read(shards, options.smoke)
    path = folder / f"{shards}-teacher{apart(options.without)}.npy"
    part, _, parts = options.part.partition("/")
    done = folder / f"{path.stem}-{part}-of-{parts}.done"
    every = pictures.where("train", gaze=False)
    if options.without:  # one trial of three: what it learns from is cut short
        not_these = (data.SQUASHED, options.without)
        every = np.array([i for i in every if pictures.about[i]["dataset"] not in not_these])
    allowed = every[int(part) :: int(parts)]
    start = int(done.read_text()) if done.exists() else 0
    if start >= len(allowed):
        return
    if not path.exists():
        np.save(path, np.full((len(pictures.about), *data.GRID), np.nan, np.float16))
    out = np.load(path, mmap_mode="r+")
    run = session(folder / f"{options.network}.onnx", options.threads)
    pixels, began = pictures.pixels(data.LARGE), time.time()
    for i in range(start, len(allowed), 4):
        some = allowed[i : i + 4]
        out[some] = run.run(None, {"picture": np.ascontiguousarray(pixels[some])})[0]
        if i % 200 == 0 or i + 4 >= len(allowed):
            out.flush()
            done.write_text(str(min(i + 4, len(allowed))))
            print(f"{shards}: {i + 4} of {len(allowed)} maps, {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(parse(Options))
