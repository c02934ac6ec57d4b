"""Stage 6, export: a checkpoint -> one ONNX file (uint8 picture in, density out, any batch) and its entry in the
manifest.

    python -m model_store.recipe.make.export --checkpoint=plain --name=gaze-0

The outputs of torch and ONNX Runtime are compared on several batch sizes before the file is published; expected:
1e-6 of the maximum, at most 1e-4. Quality scores do not find all errors of an export: a traced floor division once
removed a row of the map at odd sides, and no score changed.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from model_store.recipe import data, metrics
from model_store.recipe.make.fold import fold_file
from model_store.recipe.make.network import Student, multiply_adds
from model_store.recipe.make.plain import load
from model_store.recipe.options import STORE, parse

OPSET = 17  # supported by every ONNX Runtime since 1.12


@dataclass(frozen=True)
class Options:
    checkpoint: str = "plain"
    name: str = "gaze-0"
    default: bool = True  # make it the network that the service loads
    smoke: bool = False  # write into the work folder instead


class Served(nn.Module):
    """The network that is exported: the student, with the density as output instead of its logarithm, and its objects
    if it has them."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, picture: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        log_p, objects = self.student.both(picture)
        return log_p.exp() if objects is None else (log_p.exp(), objects)


def session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """A session on `threads` threads without spinning, as in the service."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def any_batch(outputs: tuple[str, ...]) -> dict[str, dict[int, str]]:
    return {name: {0: "batch"} for name in ("picture", *outputs)}


def trace(
    module: nn.Module,
    shape: tuple[int, ...],
    path: Path,
    free: dict[str, dict[int, str]] | None = None,
    outputs: tuple[str, ...] = ("density",),
) -> None:
    """Writes the graph that `module` runs on a picture of this shape, uint8 [n, h, w, 3], to an ONNX file.

    `free`: names of the dimensions that may have other sizes than the example's, by input or output and axis; the batch
    if None.
    """
    torch.onnx.export(
        module,
        (torch.zeros(shape, dtype=torch.uint8),),
        str(path),
        dynamo=False,
        opset_version=OPSET,
        input_names=["picture"],
        output_names=list(outputs),
        dynamic_axes=any_batch(outputs) if free is None else free,
    )


def outputs(student: Student) -> tuple[str, ...]:
    """The names of the file's outputs."""
    return ("density",) if student.objects is None else ("density", "objects")


def write(student: Student, path: Path) -> None:
    """Writes the fp32 graph with a dynamic batch."""
    student = student.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    trace(Served(student), (1, *data.SHAPE, 3), path, outputs=outputs(student))
    model = onnx.load(str(path))
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, str(path))
    fold_file(path)


def parity(student: Student, path: Path, pixels: np.ndarray) -> float:
    """The largest difference of a cell between torch and the file, as a share of the map's maximum; of objects, of
    the largest number.

    Raises ValueError if the shapes differ.
    """
    run = session(path)
    worst = 0.0
    student.eval()
    for count in (1, 3, 8):
        batch = np.ascontiguousarray(pixels[:count])
        with torch.no_grad():
            log_p, objects = student.both(torch.from_numpy(batch))
        wanted = [log_p.exp().numpy(), *([] if objects is None else [objects.numpy()])]
        for found, expected in zip(run.run(None, {"picture": batch}), wanted, strict=True):
            if found.shape != expected.shape:
                raise ValueError(f"{path.name}: shape {found.shape} where torch has {expected.shape}")
            axes = tuple(range(1, expected.ndim))
            difference = np.abs(found - expected).max(axes) / np.abs(expected).max(axes)
            worst = max(worst, float(difference.max()))
    return worst


def describe(path: Path) -> dict[str, Any]:
    """A file's entry in the manifest."""
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
    }


def manifest(store: Path = STORE) -> dict[str, Any]:
    path = store / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {"default": "", "networks": {}}


def update(name: str, entry: dict[str, Any], *, default: bool, store: Path = STORE) -> None:
    """Merges `entry` into the network's entry of manifest.json, in one replacement."""
    stored = manifest(store)
    stored["networks"].setdefault(name, {}).update(entry)
    if default or not stored["default"]:
        stored["default"] = name
    fresh = store / "manifest.json.new"
    fresh.write_text(json.dumps(stored, indent=2) + "\n")
    fresh.replace(store / "manifest.json")


def asymmetries(path: Path, pixels: np.ndarray) -> np.ndarray:
    """float32 [n]: the asymmetry of the file's map of every picture."""
    run = session(path)
    maps = [
        run.run(None, {"picture": np.ascontiguousarray(pixels[i : i + 1])})[0][0] for i in range(len(pixels))
    ]
    return np.array([metrics.asymmetry(m) for m in maps], np.float32)


def main(options: Options) -> None:
    torch.set_num_threads(2)
    store = data.folder(True) if options.smoke else STORE
    student = load(data.folder(options.smoke) / f"{options.checkpoint}.pt")
    gaze = data.read("gaze", options.smoke)
    train = gaze.where("train")
    path = store / f"{options.name}.onnx"
    draft = path.with_suffix(".draft")
    write(student, draft)
    difference = parity(student, draft, gaze.pixels()[train[:8]])
    if difference > 1e-4:
        raise SystemExit(f"torch and ONNX Runtime differ by {difference:.2e} of the maximum")
    shutil.move(draft, path)
    every = asymmetries(path, gaze.pixels()[train[:: max(1, len(train) // 400)]])
    # The 2nd percentile on "train": the published test (Agrawal et al. 2021, audit of the crop) is true for none of
    # 563 photographs. A map that is more symmetric than those of 98 % of photographs favours neither side.
    entry = {
        "files": {"fp32": describe(path)},
        "opset": OPSET,
        "outputs": list(outputs(student)),
        "shapes": [list(data.SHAPE)],
        "grids": [list(data.GRID)],
        "grid": list(data.GRID),
        "symmetry_threshold": round(float(np.percentile(every, 2)), 4),
        "multiply_adds": multiply_adds(student),
        "parameters": sum(p.numel() for p in student.parameters()),
        "parity": {"torch_fp32": float(f"{difference:.2e}")},
    }
    update(options.name, entry, default=options.default, store=store)
    print(json.dumps(entry, indent=1), np.percentile(every, [0, 1, 2, 5, 25, 50, 75]).round(3))


if __name__ == "__main__":
    main(parse(Options))
