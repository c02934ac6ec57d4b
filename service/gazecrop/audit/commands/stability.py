"""gazecrop audit stability: how far crops move when a picture is transformed without changing what it shows."""

import argparse
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.report import crop_moves
from gazecrop.audit.studies import stability
from gazecrop.console.sources import pictures_of


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(
        command, "How far crops move when a picture is transformed without changing what it shows."
    )
    shared.add_ratios(parser)
    shared.add_policy(parser)
    shared.add_output(parser, command)
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options, shared.output_of(command, argv, options)))


def run(options: argparse.Namespace, output: shared.Output) -> int:
    require_reports()
    ratios, crop_options = shared.ratios_of(options.ratios), shared.policy_of(options.policy)
    items = pictures_of(options.source)
    with Maps(output.maps) as maps, shared.steps(items) as step:
        crops = shared.crops_of(maps, ratios, crop_options)
        rows, unreadable = stability.study(items, crops, step)
    report = crop_moves.Report(
        title="How stable are the crops?",
        lead=f"{len(items) - len(unreadable):,} pictures, cropped by {crops.name} before and after changes that do not "
        "change what a picture shows.",
        sides=[crops],
        rows=rows,
        unreadable=unreadable,
        explanation=" For padded and bordered pictures it is measured within the original picture.",
    )
    return crop_moves.write_report(
        report, output.provenance, output.folder, None if options.no_pictures else items
    )
