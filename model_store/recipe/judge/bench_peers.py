"""Quality against cost of Gazecrop and of other croppers, all in one run, with their versions: `make bench-peers`.

    python -m model_store.recipe.judge.bench_peers                     # "val", all installed croppers
    python -m model_store.recipe.judge.bench_peers --pictures=50       # a sample of it

Each cropper gets the JPEG file of a picture and gives the box of each judged ratio. Its cost is the CPU time of that,
decoding included, per picture with all its ratios. Quality: the crop score of metrics.py, and the share of faces and of
text lines that are cut through, of those that fit into the crop along its axis (objects.json.gz). One that is not
installed is left out with a message. docs/drawings/peers.py draws the result, docs/peers.json.
"""

import gzip
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import gazecrop
from model_store.recipe import crops, data, metrics
from model_store.recipe.judge import peers
from model_store.recipe.metrics import Box
from model_store.recipe.options import DATA, ROOT, parse

OUT = ROOT / "docs" / "peers.json"
NODE = Path("peers.mjs")
CUT = (0.05, 0.95)  # of an object inside a crop
LARGE = 0.16  # of the side
LINES = (0.1, 0.4)
TWITTER = "Twitter's network"
TWITTER_SIDE = 800  # its input's long side, as Twitter used it

# Seconds of CPU, and the boxes by ratio, of a JPEG file.
Answer = tuple[float, dict[str, Box]]


@dataclass(frozen=True)
class Options:
    pictures: int = 0  # evenly spread; 0: all
    node: str = ""  # a folder whose node_modules have sharp and smartcrop; empty: without these
    write: bool = True  # docs/peers.json


@dataclass
class Tally:
    """What one cropper did: seconds, and for all pairs the kept shares, and objects with their sizes and whether they
    were cut."""

    version: str
    seconds: list[float] = field(default_factory=list)
    boxes: list[dict[str, Box]] = field(default_factory=list)

    def row(self, judged: crops.Judged, objects: dict[str, list[np.ndarray]]) -> dict[str, Any]:
        pairs = metrics.judge(lambda i, name: self.boxes[i][name], judged.sizes, judged.points)
        faces, text = (cuts(self.boxes, objects[kind]) for kind in ("faces", "text"))
        lines = text[(text[:, 0] >= LINES[0]) & (text[:, 0] < LINES[1])]
        return {
            "version": self.version,
            "milliseconds": round(1000 * float(np.mean(self.seconds)), 2),
            "crop_score": round(pairs.score(), 1),
            "interval": [round(each, 1) for each in pairs.interval()],
            "below_centre": round(pairs.below(), 2),
            "faces_cut": percent(faces[:, 1]),
            "large_faces_cut": percent(faces[faces[:, 0] >= LARGE, 1]),
            "text_cut": percent(lines[:, 1]),
        }


def percent(flags: np.ndarray) -> float | None:
    return round(100 * float(flags.mean()), 1) if len(flags) else None


def cuts(boxes: list[dict[str, Box]], objects: list[np.ndarray]) -> np.ndarray:
    """float [n, 2]: size (the larger of its shares of the picture's sides) and cut, of every pair of a ratio and an
    object that fits into its crop."""
    rows = [np.zeros((0, 2))]
    for ratios, its in zip(boxes, objects, strict=True):
        for box in ratios.values():
            first, length = its[:, box.axis] * box.side, its[:, 2 + box.axis] * box.side
            shared = np.minimum(first + length, box.offset + box.length) - np.maximum(first, box.offset)
            inside = np.clip(shared / np.maximum(length, 1e-9), 0, 1)
            fits = length <= box.length
            cut = (inside > CUT[0]) & (inside < CUT[1])
            rows.append(np.stack([its[:, 2:4].max(1), cut], 1)[fits])
    return np.concatenate(rows)


def ours(policy: str) -> Callable[[bytes, tuple[int, int]], dict[str, Box]]:
    def crop(file: bytes, size: tuple[int, int]) -> dict[str, Box]:
        picture, found = gazecrop.look(file), {}
        for name in metrics.judged_ratios(*size):
            ltrb = picture.crop(crops.RATIOS[name], policy=policy).box  # type: ignore[arg-type]
            centre = metrics.centre_crop(*size, metrics.RATIOS[name])
            start = ltrb.x / picture.width if centre.axis == 0 else ltrb.y / picture.height
            offset = min(max(round(start * centre.side), 0), centre.side - centre.length)
            found[name] = Box(centre.axis, centre.side, centre.length, offset)
        return found

    return crop


def smart_crop_ai() -> crops.Function:
    """The package smart-crop-ai."""
    from PIL import Image

    package = importlib.import_module("smart_crop_ai")

    def crop(picture: np.ndarray, ratio: float) -> peers.Corner:
        height, width = picture.shape[:2]
        found = package.crop(Image.fromarray(picture), ratio=metrics.crop_size(width, height, ratio))
        left, top, right, bottom = found.box
        return left, top, right - left, bottom - top

    return crop


def spectral_residual() -> crops.Function:
    """OpenCV's static saliency (Hou and Zhang 2007), and the box that holds most of it."""
    cv2 = importlib.import_module("cv2")
    saliency = cv2.saliency.StaticSaliencySpectralResidual_create()

    def crop(picture: np.ndarray, ratio: float) -> peers.Corner:
        height, width = picture.shape[:2]
        _, found = saliency.computeSaliency(np.ascontiguousarray(picture[..., ::-1]))
        box = metrics.window_crop(found + 1e-9, width, height, ratio)
        w, h = metrics.crop_size(width, height, ratio)
        return (box.offset, 0, w, h) if box.axis == 0 else (0, box.offset, w, h)

    return crop


def twitter() -> crops.FileCropper:
    """Twitter's network with its own rule, on the most salient point, in ONNX Runtime. Raises OSError if the file that
    twitter.py exports is not in the work folder."""
    import onnxruntime
    from PIL import Image

    path = data.folder() / "fastgaze.onnx"
    if not path.exists():
        raise OSError(f"{path} is made by model_store.recipe.judge.evaluate")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def crop(file: bytes, size: tuple[int, int]) -> dict[str, Box]:
        image = Image.fromarray(crops.read(file))
        scale = TWITTER_SIDE / max(image.size)
        large = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC
        )
        density = session.run(None, {"picture": np.asarray(large)[None]})[0][0]
        return crops.served_boxes(density, size, "point")

    return crop


# Name -> the package whose version is printed, and the function that makes the cropper.
PYTHON: dict[str, tuple[str, Callable[[], crops.Function]]] = {
    "centre crop": ("", peers.centre_crop),
    "libvips attention": ("pyvips-binary", partial(peers.libvips, "attention")),
    "libvips entropy": ("pyvips-binary", partial(peers.libvips, "entropy")),
    "smartcrop.py": ("smartcrop", peers.smartcrop_py),
    "smart-crop-ai": ("smart-crop-ai", smart_crop_ai),
    "thumbor": ("thumbor", peers.thumbor),
    "OpenCV spectral residual": ("opencv-contrib-python-headless", spectral_residual),
}


def version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}" if package else ""


def timed(cropper: crops.FileCropper, file: bytes, size: tuple[int, int]) -> Answer:
    start = time.process_time()
    boxes = cropper(file, size)
    return time.process_time() - start, boxes


@contextmanager
def node(folder: str) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name(NODE.name)
    place = Path(folder) / NODE.name
    place.write_text(script.read_text())  # beside node_modules, where its imports are looked for
    with subprocess.Popen(
        ["node", str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()  # type: ignore[union-attr]


def ask(process: subprocess.Popen[str], file: bytes, size: tuple[int, int]) -> dict[str, Answer]:
    """The answers of the croppers in Node."""
    names = metrics.judged_ratios(*size)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as stored:
        stored.write(file)
        stored.flush()
        height, width = crops.read(file).shape[:2]
        sizes = [metrics.crop_size(width, height, metrics.RATIOS[name]) for name in names]
        process.stdin.write(json.dumps({"file": stored.name, "ratios": sizes}) + "\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        answer = json.loads(process.stdout.readline())  # type: ignore[union-attr]
    found = {}
    for cropper, boxes in answer["boxes"].items():
        by_ratio = dict(zip([metrics.RATIOS[name] for name in names], boxes, strict=True))
        blank = np.zeros((height, width, 3), np.uint8)
        placed = crops.function_boxes(partial(_answered, by_ratio), blank, size)
        found[cropper] = answer["cpu"][cropper], placed
    return found


def _answered(boxes: dict[float, peers.Corner], _: np.ndarray, ratio: float) -> peers.Corner:
    return boxes[ratio]


def objects_of(keys: list[str]) -> dict[str, list[np.ndarray]]:
    stored = json.loads(gzip.decompress((DATA / "objects.json.gz").read_bytes()))
    return {
        kind: [np.array(its.get(key, []), float).reshape(-1, 5) for key in keys]
        for kind, its in stored.items()
    }


def readable() -> data.Pictures:
    """What the data stage made of the pictures. Raises SystemExit, in one line, where it or the data is not there."""
    try:
        with open(DATA / "objects.json.gz", "rb"):
            return data.read("gaze")
    except FileNotFoundError as error:
        program = f"{sys.executable} -m model_store.recipe.data"
        reason = f"{error.filename} does not exist; set GAZECROP_DATA to the folder with the pictures"
        raise SystemExit(f"{reason}, and run `{program}` (2 minutes) first") from None


def main(options: Options) -> None:
    gaze = readable()
    chosen = gaze.where("val")
    if options.pictures:
        chosen = chosen[np.linspace(0, len(chosen) - 1, options.pictures).astype(int)]
    judged = crops.Judged(gaze, chosen)
    croppers: dict[str, crops.FileCropper] = {
        f"gazecrop, {policy}": ours(policy) for policy in ("auto", "window")
    }
    tallies = {name: Tally(f"gazecrop {gazecrop.__version__}") for name in croppers}
    for name, (package, make) in PYTHON.items():
        try:
            tallies[name] = Tally(version(package))
            croppers[name] = crops.function_cropper(make())
        except (ImportError, OSError, AttributeError) as error:  # PackageNotFoundError is an ImportError
            tallies.pop(name, None)
            print(f"{name} is left out: {error}")
    try:
        croppers[TWITTER] = twitter()
        tallies[TWITTER] = Tally(
            f"fastgaze in onnxruntime {importlib.import_module('onnxruntime').__version__}"
        )
    except (ImportError, OSError) as error:
        print(f"{TWITTER} is left out: {error}")
    files = judged.files()
    for name, cropper in croppers.items():
        timed(cropper, files[0], judged.sizes[0])  # loads what it loads once
        for file, size in zip(files, judged.sizes, strict=True):
            seconds, boxes = timed(cropper, file, size)
            tallies[name].seconds.append(seconds)
            tallies[name].boxes.append(boxes)
        print(f"{name}: done", flush=True)
    if options.node:
        with node(options.node) as process:
            versions = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            tallies |= {name: Tally(its) for name, its in versions.items()}
            for file, size in zip(files, judged.sizes, strict=True):
                for name, (seconds, boxes) in ask(process, file, size).items():
                    tallies[name].seconds.append(seconds)
                    tallies[name].boxes.append(boxes)
    objects = objects_of(judged.keys)
    rows = {name: tally.row(judged, objects) for name, tally in tallies.items()}
    print_table(rows)
    if options.write:
        OUT.write_text(json.dumps({"pictures": len(chosen), "rows": rows}, indent=1) + "\n")


def print_table(rows: dict[str, dict[str, Any]]) -> None:
    print(f"{'':26} {'CPU ms':>7} {'score':>7} {'below':>7} {'faces':>7} {'large':>7} {'text':>7}  version")
    for name, row in sorted(rows.items(), key=lambda each: -each[1]["crop_score"]):
        figures = (
            row[key]
            for key in (
                "milliseconds",
                "crop_score",
                "below_centre",
                "faces_cut",
                "large_faces_cut",
                "text_cut",
            )
        )
        print(f"{name:26} {' '.join(f'{each!s:>7}' for each in figures)}  {row['version']}")


if __name__ == "__main__":
    main(parse(Options))
