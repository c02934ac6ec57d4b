"""Twitter's network (Theis et al. 2018, Apache-2.0), for comparison only: its weights and its code (fastgaze.py) are
in the data folder and are not shipped. Its input is 800 px on the long side, as Twitter used it."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from model_store.recipe import data
from model_store.recipe.crops import Judged, read
from model_store.recipe.make.export import session, trace
from model_store.recipe.options import DATA

LONG_SIDE = 800
NAME = "Twitter's network"


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class OnGrid(nn.Module):
    """uint8 [1, h, w, 3] -> density on the student's grid, so that the same window rule applies."""

    def __init__(self, network: nn.Module, mean_bgr: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean_bgr).view(1, 3, 1, 1))

    def forward(self, picture: Tensor) -> Tensor:
        x = picture.permute(0, 3, 1, 2).float().flip(1) - self.mean
        logits = self.network(x)
        p = logits.flatten(1).softmax(1).view_as(logits)
        p = F.interpolate(p, data.GRID, mode="bilinear")[:, 0]
        return p / p.sum((1, 2), keepdim=True)


def export_fastgaze(path: Path) -> None:
    """Writes it as an ONNX file with free sides, so that its time is measured in the same runtime as ours."""
    source = _module(DATA / "weights" / "fastgaze.py")
    module = OnGrid(source.load(DATA / "weights" / "fastgaze_fp32.npz"), source.MEAN_BGR).eval()
    trace(module, (1, 600, 800, 3), path, {"picture": {1: "height", 2: "width"}})


def fastgaze_maps(judged: Judged, folder: Path) -> np.ndarray:
    """Its densities of the judged pictures, float32 [n, rows, columns]; stored in the work folder."""
    kept = folder / f"fastgaze-{len(judged.chosen)}.npy"
    if kept.exists():
        return np.load(kept)
    export_fastgaze(folder / "fastgaze.onnx")
    run, maps = session(folder / "fastgaze.onnx", 2), []
    for file in judged.files():
        image = Image.fromarray(read(file))
        scale = LONG_SIDE / max(image.size)
        size = round(image.width * scale), round(image.height * scale)
        pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
        maps.append(run.run(None, {"picture": pixels[None]})[0][0])
    np.save(kept, np.stack(maps))
    return np.stack(maps)
