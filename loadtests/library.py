"""`gazecrop batch` compared with its minimum: as many processes that only decode scaled and infer.

python -m loadtests.library                        both alternately, as ratios (also in `make bench`)
python -m loadtests.library --bare FOLDER WORKERS  the minimum alone
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop.model import Model
from gazecrop.picture.probe import nearest_shape
from gazecrop.settings import Settings

ROOT = Path(__file__).parents[1]
COPIES = 30  # of each photograph: with 8 of 1 to 20 megapixels 30 s of one core, of which the start takes 2 s
UNIT = 8  # pictures per task of a worker process, as in `gazecrop batch`
ROUNDS = 5

_model: Model


def ratios(pictures: Sequence[bytes], workers: int) -> Iterator[tuple[float, float]]:
    """Yields (by time, by CPU) for each round: the bare stages' cost over that of `gazecrop batch`. The two run one
    after the other in alternating order, so that other load on the machine affects both. It may not affect them
    equally: beside two trainings of higher priority, single rounds were 0.23 to 0.96 by time, 0.98 to 1.02 by CPU.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        for number, data in enumerate(pictures):
            (folder / f"{number}-0.jpg").write_bytes(data)
            for copy in range(1, COPIES):
                os.link(folder / f"{number}-0.jpg", folder / f"{number}-{copy}.jpg")
        bare = ["loadtests.library", "--bare", str(folder), str(workers)]
        for number in range(ROUNDS):
            out = str(Path(place) / str(number))
            ours = ["gazecrop.cli", "batch", str(folder), out, "--workers", str(workers)]
            order = (bare, ours) if number % 2 else (ours, bare)
            taken = {command[0]: _measure(command) for command in order}
            minimum, batch = taken[bare[0]], taken[ours[0]]
            yield minimum[0] / batch[0], minimum[1] / batch[1]


def _measure(command: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU time of a command in seconds, with all its child processes and their start."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _start() -> None:
    global _model
    _model = Model.load(Settings())


def _stages(paths: list[Path]) -> int:
    """Decodes scaled, resizes and infers, without limits, orientation or output. Gives the number of pictures."""
    by_shape: dict[tuple[int, int], list[NDArray[np.uint8]]] = {}
    for path in paths:
        with Image.open(path) as picture:
            rows, columns = nearest_shape(*picture.size, _model.shapes)
            picture.draft("RGB", (columns, rows))
            small = picture.resize((columns, rows), Image.Resampling.BILINEAR, reducing_gap=2.0)
            by_shape.setdefault((rows, columns), []).append(np.asarray(small.convert("RGB")))
    for thumbnails in by_shape.values():
        _model.infer(thumbnails)
    return len(paths)


def bare(folder: Path, workers: int) -> int:
    """Runs the bare stages on all pictures of a folder. Gives their number."""
    paths = sorted(folder.iterdir())
    units = [paths[at : at + UNIT] for at in range(0, len(paths), UNIT)]
    with get_context("spawn").Pool(workers, _start) as pool:
        return sum(pool.imap_unordered(_stages, units))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bare", nargs=2, metavar=("FOLDER", "WORKERS"), help=argparse.SUPPRESS)
    parser.add_argument("--photographs", type=Path, default=ROOT.parent / "shared" / "data" / "large")
    options = parser.parse_args()
    if options.bare:
        print(bare(Path(options.bare[0]), int(options.bare[1])))
        return
    from loadtests.bench import photographs

    # without the thumbnails
    examples = sorted((ROOT / "service" / "gazecrop" / "page" / "examples").glob("*[!b].jpg"))
    pictures = photographs(options.photographs) or [path.read_bytes() for path in examples]
    workers = Settings().workers
    found = []
    for by_time, by_cpu in ratios(pictures, workers):
        found.append((by_time, by_cpu))
        print(f"by time {by_time:.3f}   by CPU {by_cpu:.3f}", flush=True)
    times, cpus = (statistics.median(each) for each in zip(*found, strict=True))
    print(f"median {times:.3f}          {cpus:.3f}   ({len(pictures)} photographs, {workers} processes)")


if __name__ == "__main__":
    main()
