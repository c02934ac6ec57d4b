"""gazecrop audit stability: how far crops move when a picture is transformed without changing what it shows."""

import argparse
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.folder_crops import CachedPipeline
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.report import crop_moves
from gazecrop.audit.studies import stability
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import pictures_of


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(command)
    shared.add_ratios(parser)
    shared.add_policy(parser)
    shared.add_output(parser, command)
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options, shared.output_of(command, argv, options)))


def run(options: argparse.Namespace, output: shared.Output) -> int:
    require_reports()
    ratios, crop_options = shared.ratios_of(options.ratios), shared.policy_of(options.policy)
    settings, items = read_settings(), pictures_of(options.source)
    with Maps(output.maps) as maps, Progress(len(items), plain=60) as progress:
        pipeline = CachedPipeline(*load(settings), maps)
        rows, unreadable = stability.study(
            items,
            pipeline,
            ratios,
            crop_options,
            settings.workers,
            lambda failed: progress.step(failed=failed),
        )
    report = crop_moves.Report(
        "How stable are the crops?",
        f"{len(items) - len(unreadable):,} pictures, cropped by {pipeline.name} before and after changes that do not "
        "change what a picture shows.",
        [pipeline.name],
        crop_options.policy,
        [ratio.text for ratio in ratios],
        rows,
        unreadable,
        " For padded and bordered pictures it is measured within the original picture.",
    )
    return crop_moves.write_report(
        report, output.provenance, output.folder, None if options.no_pictures else items
    )
