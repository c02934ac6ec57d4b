"""The ONNX Runtime session: file, provider, warm-up, run(batch) -> maps and objects. The only import of onnxruntime."""

import ctypes
import hashlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gazecrop.crop.confidence import Calibration
from gazecrop.crop.detection import CHANNELS, Scoring, decode, scorings
from gazecrop.crop.objects import KINDS, Kind, Object
from gazecrop.settings import Settings

PACKAGED = Path(__file__).parent / "model_store"  # in the wheel; in a checkout it is at the root
MANIFEST = "manifest.json"
STORE = PACKAGED if PACKAGED.exists() else Path(__file__).parents[2] / "model_store"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
GPU_BATCH = 16  # on a CPU 1: a batch of 8 runs at 0.82 of the speed

# The self-test: a picture of one disc, with its centre here (fractions; x, y), must have the maximum of its map there.
DISC = (0.3, 0.35)
NEAR = 0.15  # of the side: the largest distance of the maximum from the disc's centre

Pixels = NDArray[np.uint8]
Density = NDArray[np.float32]
OUTPUTS = ("density", "objects")  # of the ONNX file; the second one may be missing
Precision = Literal["fp32", "int8"]

_log = logging.getLogger("gazecrop")
ort.set_default_logger_severity(3)  # errors only; its warnings are about graph details and go to stderr


class ModelError(Exception):
    """The network cannot be loaded, or its output is wrong. The server does not start then."""


class Outputs(NamedTuple):
    """Of a batch. density: float32[n, rows, columns]; objects: float32[n, 10, rows, columns] as in crop/detection.py,
    None of a network without this output."""

    density: Density
    objects: NDArray[np.float32] | None


class Prediction(NamedTuple):
    """Of one picture. density: float32[rows, columns], summing to 1; objects: at most 16."""

    density: Density
    objects: tuple[Object, ...] = ()


class Model:
    """A loaded network.

    shapes: (height, width) of each accepted input; grids: (rows, columns) of the output, in the order of `shapes`.
    session: ONNX Runtime's, for measurements. outputs: the names of its outputs. scoring: of its objects, by kind; None
    for a network without them.
    symmetry_threshold: a map whose asymmetry (half the sum of |p - mirror of p|) is below it counts as symmetric.
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
        self.outputs = tuple(entry.get("outputs", OUTPUTS[:1]))
        self.scoring = _scoring(self.outputs, entry)
        self.session = _session(_verified(path, self.sha256), settings.device)
        missing = {*self.outputs} - {output.name for output in self.session.get_outputs()}
        if missing:
            raise ModelError(f"{path}: there is no output {' or '.join(sorted(missing))} in the file")
        self.provider: str = self.session.get_providers()[0]
        self._device = settings.device
        self.max_batch = settings.max_batch or (GPU_BATCH if self.provider == CUDA else 1)
        self.batch_sizes = _batch_sizes(self.max_batch)

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Loads the network, precision and device of `settings`. Raises `ModelError`."""
        store, name, entry = _entry(settings)
        try:
            precision = _precision(settings, entry["files"])
            return cls(name, entry, precision, store / entry["files"][precision]["file"], settings)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{store / MANIFEST}: the entry of {name} is incomplete or wrong: {error!r}"
            ) from error

    @property
    def fell_back(self) -> bool:
        """Whether it runs on the CPU although there is a GPU and no setting excludes it."""
        return self._device == "auto" and self.provider == CPU and driver_finds_device()

    def grid_of(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(rows, columns) of the output for an input of this (height, width)."""
        return self.grids[self.shapes.index((shape[0], shape[1]))]

    def run(self, batch: Pixels) -> Outputs:
        """uint8[n, height, width, 3] RGB -> the outputs of n pictures. Blocks; thread-safe."""
        found: list[NDArray[np.float32]] = self.session.run(self.outputs, {"picture": batch})
        return Outputs(found[0], found[1] if len(found) > 1 else None)

    def infer(self, pictures: Sequence[Pixels]) -> list[Prediction]:
        """`run` for a list of pictures of one shape, uint8[height, width, 3] each. The batcher calls it.

        A batch of another size than those of `warm` is filled up with copies of its last picture: on a GPU each new
        size would be planned anew, during a request.
        """
        count = len(pictures)
        size = next((size for size in self.batch_sizes if size >= count), count)
        batch = pictures[0][None]
        if size > 1:
            batch = np.stack([*pictures, *[pictures[-1]] * (size - count)])
        density, objects = self.run(batch)
        if objects is None or self.scoring is None:
            return [Prediction(each) for each in density[:count]]
        return [Prediction(density[i], decode(objects[i], self.scoring)) for i in range(count)]

    def warm(self) -> None:
        """Runs the self-test picture in every batch size that will occur: the first run of a shape is slow.

        Raises `ModelError` when an output is not a density, its maximum is not at the disc of the picture, or the
        objects' output has another shape or a value that is not finite.
        """
        for shape in self.shapes:
            picture = self_test_picture(*shape)
            for size in self.batch_sizes:
                self._check(self.run(np.repeat(picture[None], size, axis=0)), size, self.grid_of(shape))

    def _check(self, outputs: Outputs, size: int, grid: tuple[int, int]) -> None:
        maps, objects = outputs
        if maps.shape != (size, *grid):
            raise ModelError(
                f"{self.file}: the output has the shape {maps.shape}, the manifest requires {(size, *grid)}"
            )
        if objects is not None:
            expected = size, CHANNELS * len(KINDS), *grid
            if objects.shape != expected:
                raise ModelError(
                    f"{self.file}: the output `objects` has the shape {objects.shape}, not {expected}"
                )
            if not np.isfinite(objects).all():
                raise ModelError(f"{self.file}: the output `objects` is not finite on {self.provider}")
        for density in maps:
            if not (np.isfinite(density).all() and density.min() >= 0 and abs(density.sum() - 1) < 1e-3):
                raise ModelError(f"{self.file}: the output is not a density on {self.provider}")
            row, column = np.unravel_index(int(density.argmax()), density.shape)
            x, y = (column + 0.5) / density.shape[1], (row + 0.5) / density.shape[0]
            if abs(x - DISC[0]) > NEAR or abs(y - DISC[1]) > NEAR:
                raise ModelError(
                    f"{self.file}: self-test failed on {self.provider}. The maximum is at ({x:.2f}, {y:.2f}), "
                    f"the disc is at {DISC}. The file or the provider computes wrongly."
                )


def _batch_sizes(most: int) -> tuple[int, ...]:
    """The powers of two below `most`, and `most`: at most every second picture of a batch is a copy."""
    return (*(1 << power for power in range((most - 1).bit_length())), most)


def calibration_of(settings: Settings) -> Calibration | None:
    """The calibration of the network of `settings`, without loading the network. Raises `ModelError`."""
    return _calibration(_entry(settings)[2])


def _entry(settings: Settings) -> tuple[Path, str, dict[str, Any]]:
    """The folder of the networks, the chosen network's name, and its entry in the manifest."""
    store = settings.model_store or STORE
    path = store / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        networks: dict[str, dict[str, Any]] = dict(manifest["networks"])
        name: str = settings.model or manifest["default"]
    except FileNotFoundError:
        if settings.model_store is None:
            raise ModelError(f"There is no {path}: install the package again.") from None
        raise ModelError(f"GAZECROP_MODEL_STORE: there is no {path}.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path} needs the members `default` and `networks`.") from error
    if name not in networks:
        raise ModelError(f"GAZECROP_MODEL: there is no network {name!r}, only: {', '.join(networks)}")
    return store, name, networks[name]


def _calibration(entry: dict[str, Any]) -> Calibration | None:
    if "calibration" not in entry:
        return None
    return Calibration.from_manifest(entry["calibration"], entry.get("balance"))


def _scoring(outputs: tuple[str, ...], entry: Mapping[str, Any]) -> dict[Kind, Scoring] | None:
    """Of the entry `objects`, which a network with this output has, and no other. Raises KeyError or ValueError."""
    if outputs not in (OUTPUTS, OUTPUTS[:1]):
        raise ValueError(f"`outputs` must be {list(OUTPUTS[:1])} or {list(OUTPUTS)}")
    if len(outputs) == 1:
        return None
    return scorings(entry["objects"])


def self_test_picture(height: int, width: int) -> Pixels:
    """uint8[height, width, 3]: a warm disc with a dark rim on ground that brightens to the right."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.hypot(x - DISC[0] * width, y - DISC[1] * height) / min(height, width)
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (90 + 40 * x / width)[..., None]
    picture[distance < 0.12] = (40, 20, 20)
    picture[distance < 0.10] = (250, 200, 60)
    return picture


def _precision(settings: Settings, files: dict[str, Any]) -> Precision:
    """int8 is chosen on processors with VNNI only (2.3 times faster there), and never on a GPU."""
    wanted = settings.precision
    if wanted == "auto":
        on_gpu = settings.device == "cuda" or (settings.device == "auto" and _has_cuda())
        return "int8" if "int8" in files and not on_gpu and _has_vnni() else "fp32"
    if wanted not in files:
        raise ModelError(f"GAZECROP_PRECISION: this network has no {wanted} file, only: {', '.join(files)}")
    return wanted


def _has_vnni() -> bool:
    """Whether the processor has byte dot products. Read from Linux's /proc; False on other systems."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_vnni" in flags or "avx_vnni" in flags


def _has_cuda() -> bool:
    """Whether this ONNX Runtime is built for CUDA (it then lists the provider even without a device), and the driver
    finds a device."""
    return CUDA in ort.get_available_providers() and driver_finds_device()


def driver_finds_device() -> bool:
    """Whether NVIDIA's driver is there and finds a device."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def _verified(path: Path, sha256: str) -> bytes:
    """The file's bytes, checked against the manifest's hash. A session made from bytes cannot load external files."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{path}: the SHA-256 is not the manifest's. Install the file again.")
    return data


def _session(data: bytes, device: str) -> ort.InferenceSession:
    """Raises `ModelError`; for `cuda` also when the session would run on the CPU."""
    options = ort.SessionOptions()
    # One thread per call, as many calls at once as cores: 290 pictures/s on two cores; 222 with ONNX Runtime's threads.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    # With the arena two callers take 130 MB together; without it 250 to 400, because glibc keeps what each call frees.
    providers: list[Any] = [CPU]
    if device != "cpu" and _has_cuda():
        ort.preload_dlls()
        # The default search measures every algorithm for every new shape.
        cuda = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
        providers.insert(0, (CUDA, cuda))
    try:
        session = ort.InferenceSession(data, options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        raise ModelError(f"ONNX Runtime cannot load the network: {error}") from error
    # When a CUDA library is missing ONNX Runtime falls back to the CPU silently; the session's providers show it.
    if session.get_providers()[0] != CUDA:
        if device == "cuda":
            raise ModelError(
                "GAZECROP_DEVICE=cuda, but the network would run on the CPU: no device, no driver, the package "
                "onnxruntime instead of onnxruntime-gpu, or no CUDA 13 and cuDNN 9 (docker/cuda.lock has them all)."
            )
        if len(providers) > 1:
            _log.warning("There is a CUDA device, but ONNX Runtime cannot use it; running on the CPU.")
    with suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)  # returns the memory of the graph's optimisation: 16 of 90 MB
    return session
