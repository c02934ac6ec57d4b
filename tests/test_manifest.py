"""model_store/manifest.json against the files it names: hashes, shapes, and equal results of every file."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

STORE = Path(__file__).parents[1] / "model_store"
MANIFEST: dict[str, Any] = json.loads((STORE / "manifest.json").read_text())
# Sums of 1200 float32 densities.
ROUNDING = 1e-5
# Total variation between the maps of fp32 and int8: their crop scores differ by less than a point
# (README.md).
INT8_DISTANCE = 0.10


def files() -> Iterator[tuple[str, str]]:
    for name, network in MANIFEST["networks"].items():
        for kind in network["files"]:
            yield name, kind


def run(name: str, kind: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    path = STORE / MANIFEST["networks"][name]["files"][kind]["file"]
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def pictures(count: int, shape: list[int]) -> np.ndarray:
    """Smooth blobs on gradients: not noise, which no network was made for."""
    generator, (height, width) = np.random.default_rng(count), shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    found = []
    for _ in range(count):
        image = np.stack(
            [128 + 90 * np.sin(a * x + b * y + c) for a, b, c in generator.random((3, 3)) * 6], -1
        )
        cx, cy, r = generator.uniform(0.2, 0.8), generator.uniform(0.2, 0.8), generator.uniform(0.05, 0.15)
        image[(x - cx) ** 2 + (y - cy) ** 2 < r * r] = generator.integers(0, 255, 3)
        found.append(image)
    return np.stack(found).clip(0, 255).astype(np.uint8)


def test_the_default_network_is_there() -> None:
    assert MANIFEST["default"] in MANIFEST["networks"]


@pytest.mark.parametrize(("name", "kind"), list(files()))
def test_files_are_those_of_the_manifest(name: str, kind: str) -> None:
    entry = MANIFEST["networks"][name]["files"][kind]
    stored = (STORE / entry["file"]).read_bytes()
    assert len(stored) == entry["bytes"]
    assert hashlib.sha256(stored).hexdigest() == entry["sha256"]


@pytest.mark.parametrize(("name", "kind"), list(files()))
def test_every_file_gives_a_density_for_any_batch(name: str, kind: str) -> None:
    network = MANIFEST["networks"][name]
    session = run(name, kind)
    for shape, grid in zip(network["shapes"], network["grids"], strict=True):
        for count in (1, 2, 5):
            density = session.run(["density"], {"picture": pictures(count, shape)})[0]
            assert density.shape == (count, *grid)
            assert density.dtype == np.float32
            assert (density >= 0).all()
            assert np.abs(density.sum((1, 2)) - 1).max() < ROUNDING


@pytest.mark.parametrize(("name", "kind"), list(files()))
def test_a_picture_is_answered_alike_in_any_batch(name: str, kind: str) -> None:
    session, shape = run(name, kind), MANIFEST["networks"][name]["shapes"][0]
    batch = pictures(4, shape)
    together = session.run(None, {"picture": batch})[0]
    alone = np.concatenate([session.run(None, {"picture": batch[i : i + 1]})[0] for i in range(4)])
    # One step of int8 may fall to the other side of a rounding.
    limit = 1e-4 if kind == "fp32" else 2e-2
    assert np.abs(together - alone).max() < limit * together.max()


@pytest.mark.parametrize("name", list(MANIFEST["networks"]))
def test_int8_agrees_with_fp32(name: str) -> None:
    if "int8" not in MANIFEST["networks"][name]["files"]:
        return
    batch = pictures(6, MANIFEST["networks"][name]["shapes"][0])
    fp32, int8 = (run(name, kind).run(None, {"picture": batch})[0] for kind in ("fp32", "int8"))
    assert 0.5 * np.abs(fp32 - int8).sum((1, 2)).mean() < INT8_DISTANCE


@pytest.mark.parametrize("name", list(MANIFEST["networks"]))
def test_the_symmetry_threshold_is_a_distance_that_photographs_rarely_undercut(name: str) -> None:
    assert 0.02 < MANIFEST["networks"][name]["symmetry_threshold"] < 0.3
