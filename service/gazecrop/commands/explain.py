"""gazecrop explain: draws the heat map, the salient points and the boxes of ratios over a picture.

With --figure in panels, four in a row: the heat map with the points, then the picture with the box of each ratio and
the most salient point (the figure of Twitter's image-crop-analysis, `plot_img_crops`).
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import Image

from gazecrop.console.files import read_picture
from gazecrop.console.options import add_crop_options, exit_status, load, wanted
from gazecrop.console.rows import crops_of
from gazecrop.errors import BadParameters
from gazecrop.picture.explain import LAYERS, explain
from gazecrop.picture.render import MEDIA_TYPES, Cut, encode
from gazecrop.pipeline import Picture, analyse

FORMATS = {f".{name}": name for name in MEDIA_TYPES} | {".jpg": "jpeg"}
RATIOS = "1:1,16:9,9:16"  # the default: more boxes than three hide each other
PANEL = 640  # pixels of a figure's panel, its long side
GAP = 12
ACROSS = 4  # panels in a row
BOX_UNIT = 3  # pixels of a line, letters of 33: legible where the figure is shown at half its size


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gazecrop explain", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", metavar="FILE", help="a picture, or - for standard input")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="its suffix selects the format"
    )
    parser.add_argument("--layers", default=",".join(LAYERS), metavar="L,L", help="default: %(default)s")
    parser.add_argument("--figure", action="store_true", help="panels side by side, instead of layers")
    add_crop_options(parser, RATIOS)
    options = parser.parse_args(argv)
    return exit_status("explain", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    query = wanted(options)
    layers = options.layers.split(",")
    if unknown := [layer for layer in layers if layer not in LAYERS]:
        raise BadParameters.one(
            "layers", f"{unknown[0]!r} is not a layer; the layers are {', '.join(LAYERS)}."
        )
    if options.out.suffix.lower() not in FORMATS:
        raise BadParameters.one("out", f"Its suffix is one of {', '.join(FORMATS)}.")
    model, limits = load()
    data = read_picture(options.file)
    picture = Picture(analyse(data, model, limits), model.calibration)
    draw = partial(explain, data, picture.cropper.grid.levels, limits=limits)
    points = [(point.x, point.y, point.score) for point in picture.cropper.points]
    crops = [(c.ratio.text, c.box.x, c.box.y, c.box.width, c.box.height) for c in crops_of(picture, query)]
    format = FORMATS[options.out.suffix.lower()]
    if options.figure:
        options.out.write_bytes(figure(draw, points, crops, format))
    else:
        options.out.write_bytes(draw(points, crops, layers=layers, format=format))
    return 0


def figure(
    draw: Callable[..., bytes],
    points: Sequence[tuple[float, float, float]],
    boxes: Sequence[tuple[str, int, int, int, int]],
    format: str,
) -> bytes:
    """`draw`: `explain` of one picture, with all arguments but the points and the boxes."""
    files = [draw(points, (), layers=("heat", "points"), format="png", long_side=PANEL)]
    files += [
        draw(
            points[:1],
            (box,),
            layers=("boxes", "points"),
            format="png",
            long_side=PANEL,
            box_unit=BOX_UNIT,
        )
        for box in boxes
    ]
    panels = [Image.open(BytesIO(file)).convert("RGB") for file in files]
    width, height = panels[0].size
    rows = -(-len(panels) // ACROSS)
    size = min(len(panels), ACROSS) * (width + GAP) - GAP, rows * (height + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    for index, panel in enumerate(panels):
        row, column = divmod(index, ACROSS)
        sheet.paste(panel, (column * (width + GAP), row * (height + GAP)))
    return encode(Cut(sheet, b""), format)
