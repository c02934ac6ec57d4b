"""The fp32 network on CUDA beside the CPU: equal results, pictures a second by batch, the cost of copies.

    python -m model_store.recipe.judge.gpu          # a minute; needs a CUDA device and docker/cuda.lock, no torch

`maps`: the largest difference of a cell, as a share of the map's maximum; `objects`: of a logit or a box's value where
the logit is above -4, the rest is no object. `whole`: from arrays in the host's memory to arrays there, as the service
runs it. `resident`: input and outputs stay in the device's memory; the difference is what the copies cost. Without a
CUDA device it prints one line and its status is 1.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnxruntime as ort

from gazecrop.model import CPU, CUDA, Model, ModelError, Outputs
from gazecrop.settings import Settings, read_settings
from model_store.recipe.options import parse

FLOOR = -4.0  # of a logit that may be an object
PARITY = 1e-2  # of both figures: TF32 convolutions have 10 bits
PICTURES = 16


@dataclass(frozen=True)
class Options:
    batches: str = "1,2,4,8,16,32,64"
    seconds: float = 0.5  # of each measurement
    provider: str = "cuda"  # cpu: the same code on the CPU, for its test


def pictures(count: int, shape: tuple[int, int]) -> np.ndarray:
    """uint8[count, height, width, 3]: smooth gradients with discs."""
    rng, (height, width) = np.random.default_rng(0), shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    made = np.empty((count, height, width, 3), np.uint8)
    for each in made:
        a, b, c = rng.uniform(0, 6, (3, 3))
        each[:] = 128 + 90 * np.sin(a * x[..., None] + b * y[..., None] + c)
        across, down, radius = rng.uniform((0.2, 0.2, 0.05), (0.8, 0.8, 0.15))
        each[(x - across) ** 2 + (y - down) ** 2 < radius**2] = rng.integers(0, 255, 3)
    return made


def differences(a: Outputs, b: Outputs) -> tuple[float, float | None]:
    """(maps, objects) as the module's docstring says; None without objects."""
    peaks = a.density.max(axis=(1, 2), keepdims=True)
    maps = float((np.abs(a.density - b.density) / peaks).max())
    if a.objects is None or b.objects is None:
        return maps, None
    kinds = [each.reshape(len(each), 2, 5, -1) for each in (a.objects, b.objects)]
    likely = np.maximum(kinds[0][:, :, :1], kinds[1][:, :, :1]) > FLOOR
    return maps, float((np.abs(kinds[0] - kinds[1]) * likely).max())


def rate(call: Callable[[], object], count: int, seconds: float) -> float:
    """Pictures a second of calls that take `count` of them each, after three for warming up."""
    for _ in range(3):
        call()
    started, calls = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds:
        call()
        calls += 1
    return calls * count / passed


def resident(
    session: ort.InferenceSession, names: tuple[str, ...], batch: np.ndarray, device: str
) -> Callable[[], None]:
    """A run whose input and outputs are in the device's memory; it returns when the outputs are complete."""
    binding = session.io_binding()
    binding.bind_ortvalue_input("picture", ort.OrtValue.ortvalue_from_numpy(batch, device, 0))
    for name in names:
        binding.bind_output(name, device)

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def copies(batch: np.ndarray, outputs: Outputs, device: str) -> Callable[[], None]:
    """The batch to the device and the outputs back, nothing else."""
    there = [ort.OrtValue.ortvalue_from_numpy(each, device, 0) for each in outputs if each is not None]

    def run() -> None:
        ort.OrtValue.ortvalue_from_numpy(batch, device, 0)
        for each in there:
            each.numpy()

    return run


def measure(model: Model, device: str, options: Options) -> list[str]:
    lines = [f"{'batch':>5} {'whole/s':>9} {'resident/s':>10} {'copies, ms':>10}"]
    for count in map(int, options.batches.split(",")):
        batch = pictures(count, model.shapes[0])
        outputs = model.run(batch)
        whole = rate(partial(model.run, batch), count, options.seconds)
        inside = rate(resident(model.session, model.outputs, batch, device), count, options.seconds)
        moved = rate(copies(batch, outputs, device), count, options.seconds)
        lines.append(f"{count:5} {whole:9.0f} {inside:10.0f} {1e3 * count / moved:10.3f}")
    return lines


def load(settings: Settings, provider: str) -> Model:
    """Raises ModelError when the network would run elsewhere."""
    return Model.load(settings.model_copy(update={"device": provider, "precision": "fp32"}))


def main(options: Options) -> None:
    settings = read_settings()
    try:
        model = load(settings, options.provider)
    except ModelError as error:
        print(f"no figures of a GPU: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    beside = load(settings, "cpu")
    model.warm()
    batch = pictures(PICTURES, model.shapes[0])
    maps, objects = differences(beside.run(batch), model.run(batch))
    print(f"{model.file} on {model.provider}, onnxruntime {ort.__version__}")
    print(f"differences to {CPU}: maps {maps:.2g}, objects {'none' if objects is None else f'{objects:.2g}'}")
    device = "cuda" if model.provider == CUDA else "cpu"
    print("\n".join(measure(model, device, options)))
    if maps > PARITY or (objects or 0) > 10 * PARITY:
        print("the results differ from the CPU's", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main(parse(Options))
