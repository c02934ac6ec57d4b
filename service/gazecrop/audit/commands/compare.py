"""gazecrop audit compare: which crops differ between two networks, precisions or policies, and by how much."""

import argparse
import sys
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.folder_crops import CachedPipeline
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.report import crop_moves
from gazecrop.audit.studies import compare
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import pictures_of

SAME = "Both sides are {}: no crop can move. Choose what to compare by --models, --precisions or --policies."


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(command)
    shared.add_ratios(parser)
    parser.add_argument("--models", nargs=2, metavar=("A", "B"), help="names in the manifest")
    parser.add_argument("--precisions", nargs=2, metavar=("A", "B"), help="fp32, int8")
    parser.add_argument(
        "--policies",
        nargs=2,
        default=("window", "window"),
        metavar=("A", "B"),
        help="window, point, centre; default: window window",
    )
    shared.add_output(parser, command)
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options, shared.output_of(command, argv, options)))


def run(options: argparse.Namespace, output: shared.Output) -> int:
    require_reports()
    ratios = shared.ratios_of(options.ratios)
    crop_options = [shared.policy_of(text, "policies") for text in options.policies]
    settings, items = read_settings(), pictures_of(options.source)
    sides = []
    with Maps(output.maps) as maps:
        for number in (0, 1):
            own: dict[str, str] = {}
            if options.models:
                own["model"] = options.models[number]
            if options.precisions:
                own["precision"] = options.precisions[number]
            pipeline = CachedPipeline(*load(settings.model_copy(update=own)), maps)
            sides.append((pipeline, crop_options[number]))
        names = [f"{pipeline.name}, policy {given.policy}" for pipeline, given in sides]
        note = SAME.format(names[0]) if compare.same(sides[0], sides[1]) else ""
        if note:
            print(f"gazecrop audit: {note}", file=sys.stderr)
        with Progress(len(items), plain=60) as progress:
            rows, unreadable = compare.study(
                items,
                (sides[0], sides[1]),
                ratios,
                settings.workers,
                lambda failed: progress.step(failed=failed),
            )
    report = crop_moves.Report(
        "Which crops differ?",
        f"{len(items) - len(unreadable):,} pictures: from {names[0]} to {names[1]}.",
        list(dict.fromkeys(pipeline.name for pipeline, _ in sides)),
        " and ".join(dict.fromkeys(given.policy for given in crop_options)),
        [ratio.text for ratio in ratios],
        rows,
        unreadable,
        note=note,
    )
    return crop_moves.write_report(
        report, output.provenance, output.folder, None if options.no_pictures else items
    )
