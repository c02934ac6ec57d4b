"""gazecrop audit pairs, gaze, detection, changes, people: the studies of labelled portraits, one of them or all."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

DESCRIPTIONS = {
    "pairs": "People of two groups joined in one picture: which group do point, attention and crops favour?",
    "gaze": "One person alone: is the most salient point on the head, on the body, or beside the person?",
    "detection": "One person alone: does the second output find the face, and that of every group as often?",
    "changes": "A portrait beside a changed copy; text or a sign beside a face; seated and standing people.",
    "people": "The studies pairs, gaze, detection and changes in one report.",
}
MARGIN: dict[str, Any] = {
    "action": "append",
    "default": [],
    "metavar": "[SET=]SHARE",
    "help": "margin around bare face chips, as a fraction of their sides; repeatable",
}


def main(command: str, argv: Sequence[str]) -> int:
    options = parser_of(command).parse_args(argv)
    studies = STUDIES if command == "people" else (command,)
    return shared.run_command(
        command, lambda: run(options, studies, shared.output_of(command, argv, options))
    )


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"gazecrop audit {command}", description=DESCRIPTIONS[command])
    parser.add_argument("source", metavar="SRC", type=Path, help="a .csv or a .tar")
    add = parser.add_argument
    add("--images", type=Path, metavar="DIR", help="folder of a CSV's files (default: the folder of the CSV)")
    add("--room", **MARGIN)
    shared.add_faces(parser)
    add("--beside", type=Path, metavar="FILE.onnx", help="a second network for comparison")
    add("--long-side", **_number(800, "PIXELS", "of the second network's input"))
    add("--seed", **_number(0, "N", "of the random samples of people and pairs"))
    shared.add_output(parser, command)
    add = parser.add_argument_group("pairs").add_argument
    add("--labels", default="gender,group", metavar="L,L", help="columns to compare; default: %(default)s")
    add("--only", default="", metavar="V,V", help="values of labels to compare (default: all)")
    add("--least", **_number(LEAST, "N", "minimum people of a group"))
    add("--pairs", **_number(10_000, "N", "for each comparison"))
    add("--layouts", default=",".join(PAPER), metavar="L,L", help=f"of {', '.join(LAYOUTS)}")
    add("--minutes", type=float, metavar="M", help="time limit: no pair is started later")
    add = parser.add_argument_group("gaze and changes").add_argument
    add("--alone", **_number(10_000, "N", "people of each set in `gaze`"))
    add("--changed", **_number(60, "N", "people of each set in `changes`"))
    return parser


def _number(default: int, metavar: str, text: str) -> dict[str, Any]:
    return {"type": int, "default": default, "metavar": metavar, "help": f"{text}; default: {default}"}


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
