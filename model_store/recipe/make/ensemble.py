"""The ensemble as one file: the mean of several teachers, which evaluate.py scores like any other network.

A teacher's map is the mean of two: the picture's, and its mirror image's mirrored back. The ensemble's map is the mean
of its members' maps.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_store.recipe import data
from model_store.recipe.make import imagenet
from model_store.recipe.make.export import trace
from model_store.recipe.make.teacher_networks import KINDS, Pyramid


class Ensemble(nn.Module):
    """uint8 [n, h, w, 3] of data.LARGE -> the mean density of the members, mirrored passes averaged.

    `students` are members, too; the picture is scaled to their input size.
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
    """Writes an ensemble as one ONNX file."""
    module = Ensemble(teachers, students).to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    trace(module, (2, *data.LARGE, 3), path)


def apart(without: str) -> str:
    """The end of the names of all files that were made without this collection."""
    return f"-without-{without}" if without else ""
