"""Seconds of one ordinary core that work on a picture takes, estimated from its header. Pure.

Only ratios matter: the queue measures how many seconds such a second takes on this machine. Figures are for a
megapixel, from pictures of 12 megapixels on a 2.3 GHz Xeon.
"""

from gazecrop.picture.probe import Header

_INFERENCE = 0.006
_BASELINE, _PROGRESSIVE = (
    0.0017,
    0.006,
)  # JPEG at a reduced size: a megapixel, nearly all of it Huffman decoding
_FULL = {"jpeg": 0.008, "png": 0.015, "webp": 0.015, "avif": 0.02, "gif": 0.01, "bmp": 0.004, "tiff": 0.01}
_HEIC = 0.03
_ENCODING = {"jpeg": 0.006, "webp": 0.025, "avif": 0.035, "png": 0.2, "gif": 0.02}  # a megapixel of output


def of_map(header: Header) -> float:
    canvas = header.walk.width * header.walk.height / 1e6
    if header.sample is not None:  # frames are decoded one after the other
        frames = len(header.sample.frames)
        return frames * _INFERENCE + (header.sample.pixels / 1e6 + frames * canvas) * _FULL.get(
            header.format, _HEIC
        )
    megapixels = canvas
    return _INFERENCE + megapixels * _decoding(header, scaled=header.draft > 1)


def of_rendering(header: Header, made: int, format: str, frames: int = 1) -> float:
    """made: pixels of the output, of each frame."""
    read = header.walk.width * header.walk.height
    scaled = header.format == "jpeg" and read > 4 * made
    each = read / 1e6 * _decoding(header, scaled=scaled) + made / 1e6 * _ENCODING[format]
    return 0.002 + frames * each


def _decoding(header: Header, *, scaled: bool) -> float:
    if header.format != "jpeg":
        return _FULL.get(header.format, _HEIC)
    each = _PROGRESSIVE if header.walk.buffered else _BASELINE
    return each if scaled else each + _FULL["jpeg"] - _BASELINE
