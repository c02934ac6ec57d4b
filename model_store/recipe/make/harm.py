"""Augmentation with what users' pictures may have: blur, darkness, turns, tilts, borders, other scales, words. Maps and
boxes move with them. A `motion` is an affine [2, 3] from points of the old picture to the new one, in fractions."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# RapidOCR's boxes of drawn words end beyond the letters: by these shares of the letters' height beside, and above and
# below (median of 67 lines that it found). The labels of words in photographs are its own.
BESIDE, ABOVE = 0.04, 0.14
VISIBLE = 0.4  # of a box: with less of it inside the new picture the object is gone
Harmed = tuple[Tensor, Tensor, np.ndarray]  # pixels, maps, motion
STILL = np.array([[1.0, 0, 0], [0, 1, 0]])
TURNS = {
    1: np.array([[0.0, 1, 0], [-1, 0, 1]]),
    3: np.array([[0.0, -1, 1], [1, 0, 0]]),
}  # by quarters to the left


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


def motion(theta: Tensor) -> np.ndarray:
    """Of `shifted` by `theta`."""
    inverse = np.linalg.inv(np.vstack([theta.double().numpy(), [0, 0, 1]]))
    inward, outward = np.diag([2.0, 2, 1]), np.diag([0.5, 0.5, 1])
    inward[:2, 2], outward[:2, 2] = -1, 0.5
    return (outward @ inverse @ inward)[:2]


def moved(boxes: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Rows of kind, left, top, width, height: the hull of each moved box, cut to the picture; without those that are
    gone."""
    left, top, width, height = boxes[:, 1:].T
    x = np.stack([left, left + width, left, left + width], 1)
    y = np.stack([top, top, top + height, top + height], 1)
    x, y = (row[0] * x + row[1] * y + row[2] for row in motion)
    edges = np.stack([x.min(1), y.min(1), x.max(1), y.max(1)], 1)
    inside = np.clip(edges, 0, 1)
    size, all_of_it = inside[:, 2:] - inside[:, :2], edges[:, 2:] - edges[:, :2]
    stay = size.prod(1) > VISIBLE * all_of_it.prod(1)
    return np.concatenate([boxes[:, :1], inside[:, :2], size], 1)[stay]


def any_of(pixels: Tensor, maps: Tensor, draw: np.random.Generator) -> Harmed:
    """One of the five changes, at random, of a picture uint8 [h, w, 3] and its maps float32 [k, rows, columns]."""
    way = int(draw.integers(0, 5))
    if way == 0:
        return blurred(pixels, draw.uniform(0.8, 3.5)), maps, STILL
    if way == 1:
        return (pixels.float() * draw.uniform(0.2, 0.7)).round().byte(), maps, STILL
    if way == 2:
        quarters = int(draw.choice((1, 3)))
        return (*turned(pixels, maps, quarters), TURNS[quarters])
    if way == 3:
        theta = tilt(draw.uniform(-12, 12), *pixels.shape[:2])
        return (*shifted(pixels, maps, theta, None), motion(theta))
    scale = draw.uniform(0.6, 0.95, 2)  # of each side; the rest is a plain border
    return rescaled(pixels, maps, scale, draw.uniform(-1, 1, 2) * (1 - scale), draw)


def rescaled(
    pixels: Tensor, maps: Tensor, scale: np.ndarray, place: np.ndarray, draw: np.random.Generator
) -> Harmed:
    """The picture at `scale` of its sides, its middle at `place` (-1 to 1); around it white, black or any colour."""
    theta = torch.tensor(
        [[1 / scale[0], 0, -place[0] / scale[0]], [0, 1 / scale[1], -place[1] / scale[1]]]
    ).float()
    drawn = [float(value) for value in draw.uniform(0, 255, 3)]
    colours = torch.tensor([[255.0] * 3, [0.0] * 3, drawn])
    colour = colours[int(draw.integers(0, 3))]
    return (*shifted(pixels, maps, theta, colour), motion(theta))


def zoomed(pixels: Tensor, draw: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """The picture at 0.5 to 2.2 of its size, another part of it in view: for objects alone, since people's gaze and the
    teachers' maps are of the whole picture."""
    scale = np.exp(draw.uniform(math.log(0.5), math.log(2.2))) * draw.uniform(0.9, 1.1, 2)
    none = torch.zeros(1, 3, 4)  # maps of the old view mean nothing
    x, _, its = rescaled(pixels, none, scale, draw.uniform(-1, 1, 2) * np.abs(1 - scale), draw)
    return x, its


def written(pixels: Tensor, fonts: list[str], draw: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """The picture with one to three lines of letters, half of the time on a plate, and their boxes (kind 1)."""
    image = Image.fromarray(pixels.numpy())
    pen = ImageDraw.Draw(image)
    width, height = image.size
    size = round(float(np.exp(draw.uniform(math.log(9), math.log(52)))))
    font = ImageFont.truetype(fonts[int(draw.integers(0, len(fonts)))], size)
    x, y = draw.uniform(0, 0.7) * width, draw.uniform(0, 0.9) * height
    dark = bool(draw.random() < 0.5)
    colour = tuple(int(v) for v in draw.uniform(0, 90, 3) + (0 if dark else 165))
    plate = draw.random() < 0.5
    ground = tuple(int(v) for v in draw.uniform(0, 100, 3) + (155 if dark else 0))
    boxes = []
    for _ in range(int(draw.integers(1, 4))):
        text = line(draw)
        edges = np.array(pen.textbbox((x, y), text, font=font), float)
        if edges[2] > width or edges[3] > height:
            break
        if plate:
            margin = size * 0.3
            pen.rectangle((edges + [-margin, -margin, margin, margin]).tolist(), fill=ground)
        pen.text((x, y), text, font=font, fill=colour)
        high = edges[3] - edges[1]
        grown = edges + high * np.array([-BESIDE, -ABOVE, BESIDE, ABOVE])
        box = np.clip(grown / [width, height, width, height], 0, 1)
        boxes.append([1, box[0], box[1], box[2] - box[0], box[3] - box[1]])
        y = edges[3] + size * draw.uniform(0.2, 0.6)
    return torch.from_numpy(np.array(image)), np.array(boxes, float).reshape(-1, 5)


LETTERS = "etaoinshrdlucmfwypvbgkjqxz"


def line(draw: np.random.Generator) -> str:
    """One to four words of letters, as frequent as in English, or digits; in capitals, small, or with initials."""
    words = []
    for _ in range(int(draw.integers(1, 5))):
        length = int(draw.integers(3, 10))
        if draw.random() < 0.12:
            words.append("".join(str(d) for d in draw.integers(0, 10, length % 5 + 2)))
        else:
            places = np.minimum(draw.exponential(7, length).astype(int), len(LETTERS) - 1)
            words.append("".join(LETTERS[i] for i in places))
    text = " ".join(words)
    return (text.upper(), text.title(), text)[int(draw.integers(0, 3))]
