"""gazecrop audit compare: which crops differ between two networks, precisions or policies, and by how much."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from gazecrop.audit.commands import options as shared
from gazecrop.audit.material.folder_crops import MOVED, CachedPipeline
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.report import crop_moves
from gazecrop.audit.studies import compare
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import pictures_of


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(command)
    shared.add_ratios(parser)
    parser.add_argument("--models", nargs=2, metavar=("A", "B"), help="names in the manifest")
    parser.add_argument("--precisions", nargs=2, metavar=("A", "B"), help="fp32, int8")
    parser.add_argument("--policies", nargs=2, default=("window", "window"), metavar=("A", "B"))
    parser.add_argument("--out", type=Path, default=Path("gazecrop-audit"), metavar="DIR")
    parser.add_argument("--no-pictures", action="store_true", help="no pictures in the report")
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    ratios, crop_options = (
        shared.ratios_of(options.ratios),
        [shared.policy_of(text) for text in options.policies],
    )
    settings, items = read_settings(), pictures_of(options.source)
    sides = []
    with Maps(options.out / "maps.sqlite") as maps:
        for number in (0, 1):
            own: dict[str, str] = {}
            if options.models:
                own["model"] = options.models[number]
            if options.precisions:
                own["precision"] = options.precisions[number]
            model, limits = load(settings.model_copy(update=own))
            sides.append((CachedPipeline(model, limits, maps), crop_options[number]))
        with Progress(len(items), plain=60) as progress:
            rows, unreadable = compare.study(
                items,
                (sides[0], sides[1]),
                ratios,
                settings.workers,
                lambda failed: progress.step(failed=failed),
            )
    names = [f"{side.model.name} {side.model.precision}, {given.policy}" for side, given in sides]
    report = crop_moves.Report(
        "Which crops differ?",
        f"{len(items) - len(unreadable):,} pictures: from {names[0]} to {names[1]}.",
        f"Moved: the centre of the crop moves by more than {100 * MOVED:.0f} % of the frame.",
        rows,
        unreadable,
    )
    return crop_moves.write_report(report, options.out, None if options.no_pictures else items)
