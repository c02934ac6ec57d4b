"""The ONNX Runtime session: file, provider, warm-up, run(batch) -> maps. The only import of onnxruntime."""

import ctypes
import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gazecrop.crop.confidence import Calibration
from gazecrop.settings import Settings

PACKAGED = Path(__file__).parent / "model_store"  # in the wheel; a checkout keeps it at its root
STORE = PACKAGED if PACKAGED.exists() else Path(__file__).parents[2] / "model_store"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
GPU_BATCH = 16  # on a CPU 1: a batch of 8 runs at 0.82 of the speed

# The known picture and its known answer: a disc here (as fractions, x then y) on plain ground is what is looked at.
DISC = (0.3, 0.35)
NEAR = 0.15  # of the side: how far from the disc's middle the maximum may lie

Pixels = NDArray[np.uint8]
Density = NDArray[np.float32]
Precision = Literal["fp32", "int8"]

_log = logging.getLogger("gazecrop")
ort.set_default_logger_severity(3)  # errors; its warnings are about graphs, in its own words, on stderr


class ModelError(Exception):
    """The network cannot be loaded, or answers wrongly: the server must not start."""


class Model:
    """A network of model_store, loaded.

    shapes: (height, width) of the inputs it takes, and grids: (rows, columns) of its answers, in parallel.
    symmetry_threshold: a map whose asymmetry (half the sum of |p - mirror of p|) is below counts as symmetric.
    """

    def __init__(
        self, name: str, entry: dict[str, Any], precision: Precision, path: Path, settings: Settings
    ) -> None:
        self.name = name
        self.precision: Precision = precision
        self.file = path.name
        self.sha256: str = entry["files"][precision]["sha256"]
        self.shapes: tuple[tuple[int, int], ...] = tuple((height, width) for height, width in entry["shapes"])
        self.grids: tuple[tuple[int, int], ...] = tuple((rows, columns) for rows, columns in entry["grids"])
        self.symmetry_threshold = float(entry["symmetry_threshold"])
        self.calibration = _calibration(entry)
        self._session = _session(_verified(path, self.sha256), settings.device)
        self.provider: str = self._session.get_providers()[0]
        self.max_batch = settings.max_batch or (GPU_BATCH if self.provider == CUDA else 1)

    @classmethod
    def load(cls, settings: Settings, store: Path = STORE) -> Self:
        """The network, precision and device that the settings say. Raises `ModelError`."""
        name, entry = _entry(settings, store)
        try:
            precision = _precision(settings, entry["files"])
            return cls(name, entry, precision, store / entry["files"][precision]["file"], settings)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The manifest's entry of {name} is not whole: {error!r}") from error

    def grid_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(rows, columns) of the answer to an input of this (height, width)."""
        return self.grids[self.shapes.index((shape[0], shape[1]))]

    def run(self, batch: Pixels) -> Density:
        """uint8[n, height, width, 3] RGB -> float32[n, rows, columns], each summing to 1. Blocks; thread-safe."""
        density: Density = self._session.run(["density"], {"picture": batch})[0]
        return density

    def infer(self, pictures: Sequence[Pixels]) -> Density:
        """The same for pictures of one shape, uint8[height, width, 3] each: what the batcher calls."""
        return self.run(pictures[0][None] if len(pictures) == 1 else np.stack(pictures))

    def warm(self) -> None:
        """Runs the known picture through every batch size that will occur: the first run of a shape is the slow one.

        Raises `ModelError` when an answer is no density, or its maximum is not where the known picture has its disc.
        """
        for shape in self.shapes:
            picture = known_picture(*shape)
            size = 1
            while size <= self.max_batch:
                self._check(self.run(np.repeat(picture[None], size, axis=0)), size, self.grid_of(shape))
                size *= 2

    def _check(self, maps: Density, size: int, grid: tuple[int, int]) -> None:
        if maps.shape != (size, *grid):
            raise ModelError(f"{self.file} answers {maps.shape} where the manifest says {(size, *grid)}")
        for density in maps:
            if not (np.isfinite(density).all() and density.min() >= 0 and abs(density.sum() - 1) < 1e-3):
                raise ModelError(f"{self.file} does not answer with densities on {self.provider}")
            row, column = np.unravel_index(int(density.argmax()), density.shape)
            x, y = (column + 0.5) / density.shape[1], (row + 0.5) / density.shape[0]
            if abs(x - DISC[0]) > NEAR or abs(y - DISC[1]) > NEAR:
                raise ModelError(
                    f"{self.file} looks at ({x:.2f}, {y:.2f}) of the known picture on {self.provider}; "
                    f"its disc is at {DISC}. The file or the provider computes wrongly."
                )


def calibration_of(settings: Settings, store: Path = STORE) -> Calibration | None:
    """That of the network that the settings say, without loading it. Raises `ModelError`."""
    return _calibration(_entry(settings, store)[1])


def _entry(settings: Settings, store: Path) -> tuple[str, dict[str, Any]]:
    """A network's name, and what the manifest says of it."""
    try:
        manifest = json.loads((store / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{store / 'manifest.json'} cannot be read: {error}") from error
    name = settings.model or manifest["default"]
    try:
        return name, manifest["networks"][name]
    except KeyError:
        known = ", ".join(manifest["networks"])
        raise ModelError(f"GAZECROP_MODEL: there is no network {name!r}, only: {known}") from None


def _calibration(entry: dict[str, Any]) -> Calibration | None:
    return Calibration.from_manifest(entry["calibration"]) if "calibration" in entry else None


def known_picture(height: int, width: int) -> Pixels:
    """uint8[height, width, 3]: a warm disc with a dark rim on ground that brightens to the right."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(x - DISC[0] * width, y - DISC[1] * height) / min(height, width)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (90 + 40 * x / width)[..., None]
    picture[distance < 0.12] = (40, 20, 20)
    picture[distance < 0.10] = (250, 200, 60)
    return picture


def _precision(settings: Settings, files: dict[str, Any]) -> Precision:
    """int8 pays on processors with VNNI only (2.3 times faster there), and never on a GPU."""
    wanted = settings.precision
    if wanted == "auto":
        on_gpu = settings.device == "cuda" or (settings.device == "auto" and _has_cuda())
        return "int8" if "int8" in files and not on_gpu and _has_vnni() else "fp32"
    if wanted not in files:
        raise ModelError(f"GAZECROP_PRECISION: this network has no {wanted} file, only: {', '.join(files)}")
    return wanted


def _has_vnni() -> bool:
    """Whether the processor multiplies bytes in one instruction. Linux says so; elsewhere nothing is assumed."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


def _has_cuda() -> bool:
    """Whether the driver finds a device. `ort.get_available_providers()` lists CUDA on any machine."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def _verified(path: Path, sha256: str) -> bytes:
    """The file's bytes, when they are those of the manifest. From bytes, a session can load no other file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"{path} is not the file that the manifest names: its SHA-256 differs. Fetch it again."
        )
    return data


def _session(data: bytes, device: str) -> ort.InferenceSession:
    """Raises `ModelError`, for `cuda` also when the loaded session runs on something else."""
    options = ort.SessionOptions()
    # As many callers as cores, one thread each: 290 pictures/s on two cores, 222 with spinning threads of its own.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    # The arena stays: with two callers 130 MB in all, 250 to 400 without it, since glibc then keeps what each frees.
    providers: list[Any] = [CPU]
    if device != "cpu" and _has_cuda():
        ort.preload_dlls()
        # The default search measures every algorithm anew for every shape.
        cuda = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
        providers.insert(0, (CUDA, cuda))
    try:
        session = ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # its own classes have no common base
        raise ModelError(f"ONNX Runtime cannot load the network: {error}") from error
    # Asked for CUDA it gives the CPU in silence when a library is missing: only the session tells.
    if session.get_providers()[0] != CUDA:
        if device == "cuda":
            raise ModelError(
                "GAZECROP_DEVICE=cuda, but the network would run on the CPU: no device, no driver, or CUDA 13 and "
                "cuDNN 9 are not installed (the extra [cuda] brings them)."
            )
        if len(providers) > 1:
            _log.warning("A CUDA device is here, but ONNX Runtime cannot use it; running on the CPU.")
    with suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)  # what optimising the graph left behind: 16 of 90 MB
    return session
