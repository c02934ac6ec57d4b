"""What the second output learns: at every cell, whether an object of a kind has its centre there, and its box.

The output has for each kind (face, text line) five channels: the logit of the score, the offset of the centre from the
cell's middle in cells (x, y), the logarithms of width and height in cells. A target has as many: the score wanted (1 at
the centre's cell, less around it), and the box in cells: middle x and y, width, height. The score's loss is the focal
loss of CenterNet (Zhou et al. 2019, arXiv 1904.07850, equation 1), the box's 1 - GIoU (Rezatofighi et al. 2019, arXiv
1902.09630).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_store.recipe import data
from model_store.recipe.make.network import CHANNELS, KINDS

WIDTH = 6.0  # of a box, in standard deviations of the score around its centre
NEAR = 0.25  # cells with at least this score learn the box
SMALL = 0.025  # of the side: a smaller object is neither right nor wrong
# Weight of the box beside the score. With 1, most boxes of small faces overlapped their label by less than half: recall
# on "val" at a precision of 0.9 was 0.02 of the faces of 0.04 to 0.08, and 0.45 with an overlap of 0.3 as enough.
BOX = 3.0
FEW = 4.0  # objects: a batch with fewer is weighed as if it had these

# The objects of a picture: rows of kind (0: face, 1: text line), left, top, width, height, in fractions.
Boxes = np.ndarray


@dataclass(frozen=True)
class Targets:
    """`wanted` float32 [n, KINDS, rows, columns], 0 to 1; `boxes` [n, KINDS, 4, rows, columns] in cells; `judged`
    bool [n, KINDS, rows, columns]: cells whose score is right or wrong. Unlabelled pictures have none."""

    wanted: Tensor
    boxes: Tensor
    judged: Tensor

    def part(self, which: slice) -> "Targets":
        return Targets(self.wanted[which], self.boxes[which], self.judged[which])

    def mirrored(self) -> "Targets":
        boxes = self.boxes.flip(4).clone()
        boxes[:, :, 0] = boxes.shape[4] - boxes[:, :, 0]
        return Targets(self.wanted.flip(3), boxes, self.judged.flip(3))

    def followed_by(self, other: "Targets") -> "Targets":
        return Targets(
            torch.cat([self.wanted, other.wanted]),
            torch.cat([self.boxes, other.boxes]),
            torch.cat([self.judged, other.judged]),
        )


def targets(pictures: list[Boxes], labelled: np.ndarray) -> Targets:
    """The targets of some pictures. `labelled` bool [n, KINDS]: whether all objects of a kind are in `pictures`; where
    they are not, only the cells around those that are there are judged."""
    rows, columns = data.GRID
    n = len(pictures)
    wanted = np.zeros((n, KINDS, rows, columns), np.float32)
    boxes = np.ones((n, KINDS, 4, rows, columns), np.float32)
    judged = np.broadcast_to(labelled[:, :, None, None], wanted.shape).copy()
    across, down = np.arange(columns) + 0.5, np.arange(rows) + 0.5
    for i, its in enumerate(pictures):
        for kind, left, top, width, height in its[np.argsort(-its[:, 3] * its[:, 4])]:  # small ones last
            k = int(kind)
            box = np.array(
                [(left + width / 2) * columns, (top + height / 2) * rows, width * columns, height * rows]
            )
            spread = np.maximum(box[2:] / WIDTH, 0.35)
            score = (
                np.exp(-0.5 * ((across - box[0]) / spread[0]) ** 2)[None]
                * np.exp(-0.5 * ((down - box[1]) / spread[1]) ** 2)[:, None]
            )
            inside = (np.abs(across - box[0]) < box[2] / 2 + 1)[None] & (
                np.abs(down - box[1]) < box[3] / 2 + 1
            )[:, None]
            if max(width, height) < SMALL:
                judged[i, k][inside] = False
                continue
            judged[i, k][inside] = True
            place = min(int(box[1]), rows - 1), min(int(box[0]), columns - 1)
            score[place] = 1.0
            near = score >= np.maximum(NEAR, wanted[i, k])
            boxes[i, k][:, near] = box[:, None]
            wanted[i, k] = np.maximum(wanted[i, k], score)
    return Targets(torch.from_numpy(wanted), torch.from_numpy(boxes), torch.from_numpy(judged))


def split(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [n, KINDS, rows, columns] and boxes in cells [n, KINDS, 4, rows, columns] of an output."""
    n, _, rows, columns = raw.shape
    each = raw.view(n, KINDS, CHANNELS, rows, columns)
    x = torch.arange(columns, dtype=raw.dtype) + 0.5
    y = (torch.arange(rows, dtype=raw.dtype) + 0.5)[:, None]
    size = each[:, :, 3:].clamp(-3, 4).exp()
    return each[:, :, 0], torch.stack([each[:, :, 1] + x, each[:, :, 2] + y, size[:, :, 0], size[:, :, 1]], 2)


def score_loss(logits: Tensor, its: Targets) -> Tensor:
    """Focal loss, summed over the judged cells, for each object."""
    sure = its.wanted >= 1
    p = logits.sigmoid()
    right = torch.nn.functional.logsigmoid(logits) * (1 - p) ** 2
    wrong = torch.nn.functional.logsigmoid(-logits) * p**2 * (1 - its.wanted) ** 4
    each = -torch.where(sure, right, wrong) * its.judged
    return (each.sum((0, 2, 3)) / sure.sum((0, 2, 3)).clamp_min(FEW)).sum()


def box_loss(found: Tensor, its: Targets) -> Tensor:
    """1 - GIoU, mean over the cells near a centre, by their wanted score."""
    weight = torch.where(its.wanted >= NEAR, its.wanted, torch.zeros_like(its.wanted)) * its.judged
    (a, b), (c, d) = _edges(found), _edges(its.boxes)
    shared = (torch.minimum(b, d) - torch.maximum(a, c)).clamp_min(0).prod(2)
    hull = (torch.maximum(b, d) - torch.minimum(a, c)).prod(2)
    union = found[:, :, 2:].prod(2) + its.boxes[:, :, 2:].prod(2) - shared
    giou = shared / union - (hull - union) / hull
    return ((weight * (1 - giou)).sum((0, 2, 3)) / weight.sum((0, 2, 3)).clamp_min(FEW)).sum()


def _edges(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return boxes[:, :, :2] - boxes[:, :, 2:] / 2, boxes[:, :, :2] + boxes[:, :, 2:] / 2


def loss(raw: Tensor, its: Targets) -> Tensor:
    """Of the second output, mean of both kinds."""
    logits, boxes = split(raw)
    return 0.5 * (score_loss(logits, its) + BOX * box_loss(boxes, its))
