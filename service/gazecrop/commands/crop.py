"""gazecrop crop: the boxes of pictures, as a table or as JSON lines; with --out also the cropped files."""

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gazecrop.console.environment import read_settings
from gazecrop.console.files import Files, pictures_below
from gazecrop.console.options import (
    SOME_UNREADABLE,
    USAGE,
    add_crop_options,
    add_file_options,
    exit_status,
    load,
    wanted,
)
from gazecrop.console.progress import Progress
from gazecrop.console.rows import crops_of, failure, line, row
from gazecrop.errors import PictureError
from gazecrop.pipeline import Picture, analyse


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gazecrop crop",
        description=__doc__,
        epilog="Exit status: 0; 1 when some pictures could not be read (listed at the end); 2 when the call is wrong.",
    )
    parser.add_argument("path", nargs="+", type=Path, metavar="FILE|DIR", help="folders with all below them")
    add_crop_options(parser)
    add_file_options(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the crops: DIR/16x9/photo.jpg")
    parser.add_argument("--json", action="store_true", help="a JSON object in a line for each picture")
    options = parser.parse_args(argv)
    return exit_status("crop", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    asked = wanted(options)
    settings = read_settings()
    pictures = list(listed(options.path).items())
    if not pictures:
        print("gazecrop crop: there are no pictures", file=sys.stderr)
        return USAGE
    model, limits = load(settings)
    files = None
    if options.out:
        files = Files(options.out, options.format, options.width, options.height, options.quality)

    def answer(picture: tuple[str, Path]) -> dict[str, Any]:
        name, path = picture
        try:
            data = path.read_bytes()
        except OSError as error:
            return failure(name, error)
        try:
            seen = Picture(analyse(data, model, limits), model.calibration)
            crops = crops_of(seen, asked)
            if files:
                files.write(name, data, crops, limits)
        except PictureError as error:
            return failure(name, error)
        return row(name, seen, crops)

    failed = []
    # Decoding and inference release Python's lock: as many pictures at once as there are workers.
    with Progress(len(pictures)) as progress, ExitStack() as end:
        threads = ThreadPoolExecutor(settings.workers)
        end.callback(threads.shutdown, cancel_futures=True)  # after Ctrl-C no further picture is started
        for result in threads.map(answer, pictures):
            if "error" in result:
                failed.append(result)
            if options.json:
                progress.clear()
                sys.stdout.buffer.write(line(result))
                sys.stdout.buffer.flush()
            elif "error" not in result:
                progress.clear()
                print(table(result), flush=True)
            progress.step(failed="error" in result)
    for result in failed:
        print(f"{result['file']}: {result['error']['detail']}", file=sys.stderr)
    return SOME_UNREADABLE if failed else 0


def listed(paths: Sequence[Path]) -> dict[str, Path]:
    """Every picture by its name: relative to the folder that was given, of a file its own, and the path as given where
    two would have one name."""
    found: dict[str, Path] = {}
    for path in paths:
        names = pictures_below(path) if path.is_dir() else [path.name]
        for name in names:
            file = path / name if path.is_dir() else path
            found[name if name not in found else file.as_posix()] = file
    return found


def table(result: dict[str, Any]) -> str:
    image = result["image"]
    lines = [f"{result['file']}  {image['width']}x{image['height']}"]
    for crop in result["crops"]:
        box = crop["box"]
        lines.append(
            f"  {crop['ratio']:<8} {box['x']:>5},{box['y']:<5} {box['width']:>5}x{box['height']:<5} "
            f"{crop['importance_fraction']:.3f} {crop['verdict']}"
        )
    return "\n".join(lines)
