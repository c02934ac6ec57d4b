"""Shared by several commands: the API's parameters as options, how crops are written, errors in one line."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gazecrop.console.environment import read_settings
from gazecrop.console.files import Files
from gazecrop.crop.cropping import CAREFUL
from gazecrop.crop.markup import (
    DEFAULT_SRC,
    PLACEHOLDERS,
    Breakpoint,
    check_alt,
    check_src,
    parse_breakpoints,
)
from gazecrop.crop.params import Wanted, parse
from gazecrop.errors import BadParameters, GazecropError
from gazecrop.model import Model, ModelError
from gazecrop.picture.animate import ANIMATED, TYPES
from gazecrop.picture.decode import Limits
from gazecrop.picture.render import LONGEST_SIDE
from gazecrop.pipeline import limits_of
from gazecrop.settings import Settings

USAGE = 2  # exit status: the call or the settings are wrong
SOME_UNREADABLE = 1
STOPPED = 130


def add_crop_options(parser: argparse.ArgumentParser, ratios: str = "") -> None:
    """The parameters of every crop answer of the API. `ratios`: the default; empty: every profile."""
    group = parser.add_argument_group("what to crop")
    group.add_argument(
        "--ratios",
        default=ratios,
        metavar="R,R",
        help=f"such as 16:9, 1.91:1, 1.7778, square; default: {ratios or 'every profile'}",
    )
    policies = "auto (balanced), balanced, careful, window, point or centre"
    group.add_argument("--policy", default="auto", metavar="P", help=policies)
    least = "0.5 to 0.99: how sure policy careful is before it leaves the centre; default: %(default)s"
    group.add_argument("--careful", default=str(CAREFUL), metavar="SHARE", help=least)
    group.add_argument(
        "--zoom", default="1", metavar="Z", help="1 to 4: 1/Z of the largest box; auto: to the subject"
    )
    group.add_argument(
        "--fill", metavar="F", help="0.3 to 0.9, with --zoom auto: the subject's share; default: 0.6"
    )
    group.add_argument(
        "--align", metavar="X,Y", help="with --zoom auto: where the subject's middle is in the crop"
    )
    box: dict[str, Any] = {"dest": "boxes", "action": "append", "default": [], "metavar": "X,Y,W,H"}
    inside = "must be wholly inside; fractions of the picture; repeatable"
    group.add_argument("--keep", type=lambda value: ("keep", value), help=inside, **box)
    group.add_argument("--avoid", type=lambda value: ("avoid", value), help="must be wholly outside", **box)
    covered = "what the page covers, fractions of the crop; what matters is kept from under it; repeatable"
    group.add_argument("--overlay", type=lambda value: ("overlay", value), help=covered, **box)
    protected = "face, text, face,text or none: what a crop should not cut through"
    group.add_argument("--protect", default="face,text", metavar="KINDS", help=protected)
    stored = "sanity,kirby, ...: the crop as these content management systems store it, in the JSON"
    group.add_argument("--fields", default="", metavar="NAMES", help=stored)
    group.add_argument("--candidates", default="1", metavar="N", help="1 to 5: further boxes, best first")


def add_picture_options(parser: argparse.ArgumentParser) -> None:
    """Of a picture element."""
    group = parser.add_argument_group("a <picture> element")
    at = "print one with these crops: each ratio up to a width of the page, such as story@480,1:1@1024,16:9"
    group.add_argument("--breakpoints", metavar="R@W,R", help=at)
    group.add_argument(
        "--src",
        metavar="TEMPLATE",
        help=f"addresses of the cropped files, with {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}; "
        f"default: {DEFAULT_SRC}",
    )
    group.add_argument("--alt", metavar="TEXT", help="the alternative text")


def picture_wanted(options: argparse.Namespace) -> tuple[tuple[Breakpoint, ...], str, str] | None:
    """The breakpoints, the template and the text; None without --breakpoints. Raises BadParameters."""
    if options.breakpoints is None:
        for name in ("src", "alt"):
            if getattr(options, name) is not None:
                raise BadParameters.one(name, "It is for a picture element: give --breakpoints, too.")
        return None
    src = DEFAULT_SRC if options.src is None else options.src
    return parse_breakpoints(options.breakpoints), check_src(src), check_alt(options.alt or "")


def wanted(options: argparse.Namespace) -> Wanted:
    """Raises BadParameters, as the API does."""
    names = ("ratios", "policy", "careful", "zoom", "candidates", "protect", "fields")
    pairs = [(name, getattr(options, name)) for name in names]
    pairs += [(name, value) for name in ("fill", "align") if (value := getattr(options, name)) is not None]
    found = parse(urlencode([*pairs, *options.boxes]))
    if found.options.policy == "focus":
        raise BadParameters.one(
            "policy", "The policy focus needs a focus set by a person, which only the server stores."
        )
    if getattr(options, "width", None) and getattr(options, "height", None):
        detail = "The ratio sets the shape: give the width or the height, not both."
        raise BadParameters.one("height", detail)
    return found.at_least(getattr(options, "width", None), getattr(options, "height", None))


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """How cropped files are written."""
    group = parser.add_argument_group("cropped files")
    group.add_argument("--format", choices=sorted(TYPES), help="default: jpeg")
    group.add_argument(
        "--width", type=upto(LONGEST_SIDE), metavar="PIXELS", help="of the cropped files; never enlarged"
    )
    group.add_argument("--height", type=upto(LONGEST_SIDE), metavar="PIXELS")
    group.add_argument("--quality", type=upto(100), metavar="1-100")
    group.add_argument(
        "--animated",
        action=argparse.BooleanOptionalAction,
        help="all frames of an animation (webp, gif, png) or the first; default: all with --format webp or gif",
    )


def files_in(folder: Path | None, options: argparse.Namespace, switch: str) -> Files | None:
    """How the cropped files are written; None without a folder. `switch`: the option that turns cropped files on.
    Raises BadParameters where an option of cropped files is given without it."""
    given = {name: getattr(options, name) for name in ("format", "width", "height", "quality", "animated")}
    if folder is not None:
        if given["animated"] and given["format"] not in ANIMATED:
            raise BadParameters.one("animated", f"The formats with frames are {', '.join(ANIMATED)}.")
        return Files(folder, **given | {"format": given["format"] or "jpeg"})
    detail = f"It is for cropped files, which only {switch} writes."
    if errors := [
        {"parameter": name, "detail": detail} for name, value in given.items() if value is not None
    ]:
        raise BadParameters(errors)
    return None


def upto(most: int) -> Callable[[str], int]:
    """An argparse type: a whole number from 1 to `most`."""

    def number(text: str) -> int:
        if not (text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
        return int(text)

    return number


def load(settings: Settings | None = None) -> tuple[Model, Limits]:
    """The network and the limits of the settings. Raises ModelError."""
    settings = settings or read_settings()
    return Model.load(settings), limits_of(settings)


def exit_status(command: str, run: Callable[[], int]) -> int:
    """Runs a command and returns its exit status. An error that the user can fix is one line on stderr."""
    try:
        return run()
    except BadParameters as error:
        for one in error.members["errors"]:
            print(f"gazecrop {command}: --{one['parameter']}: {one['detail']}", file=sys.stderr)
        return USAGE
    except (GazecropError, ModelError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `| head` has ended; the rest of the output is discarded
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"gazecrop {command}: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return STOPPED
