"""Augmentation with what users' pictures may have: blur, darkness, turns, tilts, borders. The maps move with them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def blurred(pixels: Tensor, sigma: float) -> Tensor:
    """uint8 [h, w, 3] through a Gaussian of `sigma` pixels."""
    reach = max(1, math.ceil(3 * sigma))
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = kernel / kernel.sum()
    x = pixels.permute(2, 0, 1).float()[:, None]
    x = F.conv2d(F.pad(x, (reach,) * 4, mode="replicate"), kernel[None, None, :, None])
    return F.conv2d(x, kernel[None, None, None])[:, 0].permute(1, 2, 0).round().byte()


def turned(pixels: Tensor, maps: Tensor, quarters: int) -> tuple[Tensor, Tensor]:
    """A quarter turn to the left (1) or right (3), stretched to the same shape. uint8 [h, w, 3], [k, rows, columns]."""
    x = torch.rot90(pixels, quarters, (0, 1)).permute(2, 0, 1).float()[None]
    x = F.interpolate(x, pixels.shape[:2], mode="bilinear", antialias=True)
    y = F.interpolate(torch.rot90(maps, quarters, (1, 2))[None], maps.shape[1:], mode="area")
    return x[0].permute(1, 2, 0).round().byte(), _summing(y[0], maps)


def shifted(pixels: Tensor, maps: Tensor, theta: Tensor, colour: Tensor | None) -> tuple[Tensor, Tensor]:
    """Resampled by the affine `theta` [2, 3], which maps points of the new picture to the old one, in -1..1. Outside
    the old picture is `colour` [3], or the colour of its edge."""
    x = pixels.permute(2, 0, 1).float()[None]
    grid = F.affine_grid(theta[None], [1, 3, *pixels.shape[:2]], align_corners=False)
    moved = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    if colour is not None:
        outside = (grid.abs() > 1).any(3)[0]
        moved[0, :, outside] = colour[:, None]
    cells = F.affine_grid(theta[None], [1, len(maps), *maps.shape[1:]], align_corners=False)
    y = F.grid_sample(maps[None], cells, padding_mode="zeros", align_corners=False)
    return moved[0].permute(1, 2, 0).round().byte(), _summing(y[0], maps)


def _summing(found: Tensor, like: Tensor) -> Tensor:
    """Scales each map to the sum that it had: 1, or 0 where there is no map."""
    total = found.sum((1, 2), keepdim=True).clamp_min(1e-9)
    return found * (like.sum((1, 2), keepdim=True) / total)


def tilt(degrees: float, height: int, width: int) -> Tensor:
    """`theta` of a rotation that keeps the picture's proportions."""
    a, shape = math.radians(degrees), width / height
    return torch.tensor([[math.cos(a), -math.sin(a) / shape, 0.0], [math.sin(a) * shape, math.cos(a), 0.0]])


def any_of(pixels: Tensor, maps: Tensor, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One of the five changes, at random, of a picture uint8 [h, w, 3] and its maps float32 [k, rows, columns]."""
    way = int(draw.integers(0, 5))
    if way == 0:
        return blurred(pixels, draw.uniform(0.8, 3.5)), maps
    if way == 1:
        return (pixels.float() * draw.uniform(0.2, 0.7)).round().byte(), maps
    if way == 2:
        return turned(pixels, maps, int(draw.choice((1, 3))))
    if way == 3:
        return shifted(pixels, maps, tilt(draw.uniform(-12, 12), *pixels.shape[:2]), None)
    scale = draw.uniform(0.6, 0.95, 2)  # of each side; the rest is a plain border
    place = draw.uniform(-1, 1, 2) * (1 - scale)
    theta = torch.tensor([[1 / scale[0], 0, -place[0] / scale[0]], [0, 1 / scale[1], -place[1] / scale[1]]])
    drawn = [float(value) for value in draw.uniform(0, 255, 3)]
    colours = torch.tensor([[255.0] * 3, [0.0] * 3, drawn])
    return shifted(pixels, maps, theta.float(), colours[int(draw.integers(0, 3))])
