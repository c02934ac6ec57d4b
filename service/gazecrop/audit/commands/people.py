"""gazecrop audit pairs, gaze, changes, people: the studies of labelled portraits, one of them or all."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from gazecrop.audit import people_audit
from gazecrop.audit.commands import options as shared
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.faces import yunet
from gazecrop.audit.material.joins import LAYOUTS, PAPER
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people
from gazecrop.audit.material.saliency_models import SaliencyModel, from_onnx, from_served
from gazecrop.audit.people_audit import STUDIES, AuditOptions
from gazecrop.audit.report.output import write
from gazecrop.audit.studies.cells import LEAST
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.pairs import PairOptions
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.sources import SourceError


def main(command: str, argv: Sequence[str]) -> int:
    options = parser_of(command).parse_args(argv)
    studies = STUDIES if command == "people" else (command,)
    return shared.run_command(
        command, lambda: run(options, studies, shared.output_of(command, argv, options))
    )


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"gazecrop audit {command}")
    parser.add_argument("source", metavar="SRC", type=Path, help="a .csv or a .tar")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of a CSV's files (default: the folder of the CSV)"
    )
    parser.add_argument(
        "--labels", default="gender,group", metavar="L,L", help="columns to compare; default: %(default)s"
    )
    parser.add_argument(
        "--only", default="", metavar="V,V", help="values of labels to compare (default: all)"
    )
    parser.add_argument(
        "--least",
        type=int,
        default=LEAST,
        metavar="N",
        help="minimum people of a group; default: %(default)s",
    )
    parser.add_argument(
        "--pairs", type=int, default=10_000, metavar="N", help="for each comparison; default: %(default)s"
    )
    parser.add_argument("--layouts", default=",".join(PAPER), metavar="L,L", help=f"of {', '.join(LAYOUTS)}")
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="time limit: no pair is started later; the report has the n reached",
    )
    parser.add_argument(
        "--alone",
        type=int,
        default=10_000,
        metavar="N",
        help="people of each set in `gaze`; default: %(default)s",
    )
    parser.add_argument(
        "--changed",
        type=int,
        default=60,
        metavar="N",
        help="people of each set in `changes`; default: %(default)s",
    )
    parser.add_argument(
        "--room",
        action="append",
        default=[],
        metavar="[SET=]SHARE",
        help="margin around bare face chips, as a fraction of their sides",
    )
    shared.add_faces(parser)
    parser.add_argument("--beside", type=Path, metavar="FILE.onnx", help="a second network for comparison")
    parser.add_argument(
        "--long-side",
        type=int,
        default=800,
        metavar="PIXELS",
        help="of the second network's input; default: %(default)s",
    )
    shared.add_output(parser, command)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def run(options: argparse.Namespace, studies: Sequence[str], output: shared.Output) -> int:
    require_reports()
    wanted = audit_options(options, studies)
    everybody = read_people(options.source, options.images)
    faces = yunet(options.faces)
    if options.faces and faces is None:
        raise SourceError(f"no such file: {options.faces}")
    models = [from_served(*load(read_settings()))]
    if options.beside:
        models.append(from_onnx(options.beside, options.long_side))
    with Maps(output.maps) as maps:
        contexts = [context_of(options, model, maps) for model in models]
        data, html = people_audit.run(everybody, contexts, faces, wanted, output.provenance)
        print(f"{maps.made:,} maps computed")
    write(output.folder, data, html)
    return 0


def context_of(options: argparse.Namespace, model: SaliencyModel, maps: Maps) -> Context:
    """Raises SourceError."""
    room = dict(_room(text) for text in options.room)
    return Context(model, maps, room, read_settings().workers)


def audit_options(options: argparse.Namespace, studies: Sequence[str]) -> AuditOptions:
    """Raises SourceError."""
    layouts = tuple(options.layouts.split(","))
    if unknown := set(layouts) - set(LAYOUTS):
        raise SourceError(f"unknown layout: {', '.join(unknown)}; the layouts are {', '.join(LAYOUTS)}")
    pair_options = PairOptions(
        count=options.pairs,
        layouts=layouts,
        seconds=None if options.minutes is None else 60 * options.minutes,
        seed=options.seed,
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


def _room(text: str) -> tuple[str, float]:
    """[SET=]SHARE. Raises SourceError."""
    name, _, share = text.rpartition("=")
    try:
        room = float(share)
    except ValueError:
        room = -1
    if not 0 <= room <= 4:
        raise SourceError(f"--room is a fraction of the picture's sides, from 0 to 4, not {share!r}")
    return name, room
