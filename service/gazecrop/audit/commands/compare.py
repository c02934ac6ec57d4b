"""gazecrop audit compare: which crops differ between two networks, precisions or policies, and by how much."""

import argparse
import sys
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.report import crop_moves
from gazecrop.audit.studies import compare
from gazecrop.console.sources import pictures_of

SAME = "Both sides are {}: no crop can move. Choose what to compare by --models, --precisions or --policies."


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(
        command, "Which crops differ between two networks, precisions or policies, and by how much."
    )
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
    items = pictures_of(options.source)
    with Maps(output.maps) as maps:
        before, after = (
            shared.crops_of(maps, ratios, crop_options[side], **_settings(options, side)) for side in (0, 1)
        )
        names = [f"{crops.name}, policy {crops.options.policy}" for crops in (before, after)]
        note = SAME.format(names[0]) if compare.same(before, after) else ""
        if note:
            print(f"gazecrop audit: {note}", file=sys.stderr)
        with shared.steps(items) as step:
            rows, unreadable = compare.study(items, before, after, step)
    report = crop_moves.Report(
        title="Which crops differ?",
        lead=f"{len(items) - len(unreadable):,} pictures: from {names[0]} to {names[1]}.",
        sides=[before, after],
        rows=rows,
        unreadable=unreadable,
        note=note,
    )
    return crop_moves.write_report(
        report, output.provenance, output.folder, None if options.no_pictures else items
    )


def _settings(options: argparse.Namespace, side: int) -> dict[str, str]:
    """The settings of one side."""
    given = {"model": options.models, "precision": options.precisions}
    return {name: values[side] for name, values in given.items() if values}
