"""Animations made by Pillow, and what is decoded of them."""

import base64
import struct
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageSequence
from playwright.sync_api import Page

from tests.helpers.pictures import encode
from tests.helpers.samples import scene

SIZE = (160, 120)
KINDS = ("gif", "png", "webp", "avif")
DELAYS = [100, 20, 50, 330, 60]

# Every frame as a browser composes it, by WebCodecs, which pages of a secure origin only have.
_DECODE = """async ([data, type]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const decoder = new ImageDecoder({ data: bytes, type, colorSpaceConversion: "default" });
  await decoder.tracks.ready;
  await decoder.completed;
  const { frameCount, repetitionCount } = decoder.tracks.selectedTrack, frames = [];
  for (let i = 0; i < frameCount; i++) {
    const { image } = await decoder.decode({ frameIndex: i });
    const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight), context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, canvas.width, canvas.height);
    let text = "";
    for (let at = 0; at < pixels.length; at += 8192) text += String.fromCharCode(...pixels.subarray(at, at + 8192));
    frames.push({ width: canvas.width, height: canvas.height, duration: image.duration, pixels: btoa(text) });
  }
  return { repetitions: repetitionCount === Infinity ? -1 : repetitionCount, frames };
}"""


def moving(count: int = 5, size: tuple[int, int] = SIZE) -> list[Image.Image]:
    """RGB frames of at most 256 colours: a box that moves over the scene."""
    frames = []
    for i in range(count):
        frame = scene(*size).quantize(200).convert("RGB")
        left = 10 + i * (size[0] - 50) // max(count - 1, 1)
        ImageDraw.Draw(frame).rectangle((left, 30, left + 30, 70), (250, 210, 10 * (i % 20)))
        frames.append(frame)
    return frames


def animation(kind: str, frames: list[Image.Image], **options: Any) -> bytes:
    """Lossless but for AVIF."""
    given: dict[str, Any] = {"duration": 100, "loop": 0} | options
    if kind == "webp":
        given |= {"lossless": True, "exact": True}
    if kind == "avif":
        given.pop("loop")
    return encode(frames[0], kind.upper(), save_all=True, append_images=frames[1:], **given)


def frames_of(data: bytes) -> list[NDArray[np.uint8]]:
    """RGBA, as Pillow composes them."""
    with Image.open(BytesIO(data)) as file:
        return [np.array(frame.convert("RGBA")) for frame in ImageSequence.Iterator(file)]


def delays_of(data: bytes) -> list[float]:
    with Image.open(BytesIO(data)) as file:
        found = []
        for frame in ImageSequence.Iterator(file):
            frame.load()
            found.append(frame.info["duration"])
        return found


def in_browser(page: Page, data: bytes, type: str) -> tuple[int, list[float], list[NDArray[np.uint8]]]:
    """Repetitions (-1: for ever), milliseconds and RGBA of each frame. `page`: of `secure_page`."""
    found = page.evaluate(_DECODE, [base64.b64encode(data).decode(), type])
    frames = [
        np.frombuffer(base64.b64decode(each["pixels"]), np.uint8).reshape(each["height"], each["width"], 4)
        for each in found["frames"]
    ]
    return found["repetitions"], [each["duration"] / 1000 for each in found["frames"]], frames


def secure_page(page: Page) -> Page:
    page.route("https://gazecrop.test/", lambda route: route.fulfill(body="<!doctype html>"))
    page.goto("https://gazecrop.test/")
    return page


def tiny_frames(count: int, size: tuple[int, int], delay: int = 0) -> bytes:
    """A GIF of single pixels on a canvas of this size."""
    control = b"!\xf9\x04\0" + struct.pack("<H", delay) + b"\0\0"
    whole = encode(Image.new("P", (1, 1), 1), "GIF")
    image = whole[whole.index(b"\x2c\0\0\0\0\1\0\1\0") : -1]
    head = whole[:6] + struct.pack("<HH", *size) + whole[10 : 13 + (3 << (whole[10] & 7) + 1)]
    return head + (control + image) * count + b";"
