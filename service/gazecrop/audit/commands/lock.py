"""gazecrop audit lock: writes the boxes of all pictures to a file, for `gazecrop audit check`."""

import argparse
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.material.folder_crops import CachedPipeline
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.studies import lock_file
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import SourceError, pictures_of
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import Ratio


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(command)
    shared.add_ratios(parser)
    shared.add_policy(parser)
    shared.add_lock(parser)
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    ratios, crop_options = shared.ratios_of(options.ratios), shared.policy_of(options.policy)
    model, found = boxes_now(options.source, ratios, crop_options)
    if not found:
        raise SourceError(f"{options.source} has no readable picture; {options.lock} is not written")
    options.lock.write_text(lock_file.dumps(found, model, ratios, crop_options.policy), encoding="utf-8")
    print(f"{len(found):,} pictures, {len(found) * len(ratios):,} crops: {options.lock}")
    return 0


def boxes_now(
    source: str, ratios: Sequence[Ratio], crop_options: Options
) -> tuple[str, dict[str, lock_file.Entry]]:
    """Name of the network, and the boxes of all readable pictures. Raises SourceError."""
    settings, items = read_settings(), pictures_of(source)
    with Maps() as maps, Progress(len(items), plain=60) as progress:
        pipeline = CachedPipeline(*load(settings), maps)
        found = lock_file.boxes(
            items,
            pipeline,
            ratios,
            crop_options,
            settings.workers,
            lambda failed: progress.step(failed=failed),
        )
    return pipeline.model.name, found
