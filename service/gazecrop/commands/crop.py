"""gazecrop crop: the boxes of pictures, as a table or as JSON lines; with --out also the cropped files."""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gazecrop.console.environment import read_settings
from gazecrop.console.files import pictures_below, read_picture
from gazecrop.console.options import (
    SOME_UNREADABLE,
    USAGE,
    add_crop_options,
    add_file_options,
    add_picture_options,
    exit_status,
    files_in,
    load,
    picture_wanted,
    wanted,
)
from gazecrop.console.progress import Progress
from gazecrop.console.rows import crops_of, failure, line, row
from gazecrop.crop.markup import picture_answer
from gazecrop.errors import PictureError
from gazecrop.pipeline import Picture, analyse


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gazecrop crop",
        description=__doc__,
        epilog="Exit status: 0; 1 when some pictures could not be read (listed at the end); 2 when the call is wrong.",
    )
    parser.add_argument(
        "path",
        nargs="+",
        metavar="FILE|DIR",
        help="a picture, a folder with all below it, or - for standard input",
    )
    add_crop_options(parser)
    add_picture_options(parser)
    add_file_options(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the crops: DIR/16x9/photo.jpg")
    parser.add_argument("--json", action="store_true", help="a JSON object in a line for each picture")
    options = parser.parse_args(argv)
    return exit_status("crop", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    query, picture = wanted(options), picture_wanted(options)
    if picture is not None:
        query = replace(query, ratios=tuple(each.ratio for each in picture[0]))
    files = files_in(options.out, options, "--out DIR")
    settings = read_settings()
    pictures = listed(options.path)
    if not pictures:
        print("gazecrop crop: there are no pictures", file=sys.stderr)
        return USAGE
    model, limits = load(settings)

    def answer(source: Source) -> dict[str, Any]:
        name = source.name
        try:
            data = read_picture(source.path)
        except OSError as error:
            return failure(name, error)
        try:
            seen = Picture(analyse(data, model, limits), model.calibration)
            crops = crops_of(seen, query)
            if files:
                files.write(source.out, data, crops, limits)
        except PictureError as error:
            return failure(name, error)
        found = row(name, seen, crops)
        if picture is not None:
            breakpoints, src, alt = picture
            found["picture"] = picture_answer(breakpoints, crops, seen.cropper, src, alt)["html"]
        return found

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
                print(result.get("picture") or table(result), flush=True)
            progress.step(failed="error" in result)
    for result in failed:
        print(f"{result['file']}: {result['error']['detail']}", file=sys.stderr)
    return SOME_UNREADABLE if failed else 0


@dataclass(frozen=True, slots=True)
class Source:
    """`name`: in the results, as given; of a picture of a folder that is given alone, relative to it. `out`: of the
    cropped file."""

    name: str
    path: str
    out: str


def listed(paths: Sequence[str]) -> list[Source]:
    """Every picture once, in order."""
    found: dict[str, Source] = {}
    taken: set[str] = set()
    for path in paths:
        folder = path != "-" and os.path.isdir(path)
        for inner in pictures_below(path) if folder else [None]:
            file = path if inner is None else os.path.join(path, inner)
            short = "stdin" if path == "-" else inner or os.path.basename(path)
            name = inner if inner is not None and len(paths) == 1 else file
            if name not in found:
                found[name] = Source(name, file, file if short in taken else short)
                taken.add(short)
    return list(found.values())


def table(result: dict[str, Any]) -> str:
    image = result["image"]
    lines = [f"{result['file']}  {image['width']}x{image['height']}"]
    for crop in result["crops"]:
        lines.append(f"  {crop['ratio']:<8} {_row(crop)}")
        lines += [f"  {'or':>8} {_row(other)}" for other in crop.get("alternatives", [])]
        lines += [f"  {'unmet':>8} {each['parameter']} {each['value']}" for each in crop.get("unmet", [])]
    return "\n".join(lines)


def _row(crop: dict[str, Any]) -> str:
    box = crop["box"]
    return (
        f"{box['x']:>5},{box['y']:<5} {box['width']:>5}x{box['height']:<5} "
        f"{crop['importance_fraction']:.3f} {crop['verdict']}"
    )
