"""gazecrop audit lock: writes the boxes of all pictures to a file, for `gazecrop audit check`."""

import argparse
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.material.folder_crops import FolderCrops
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.studies import lock_file
from gazecrop.console.sources import SourceError, pictures_of
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import Ratio


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(
        command, "Writes the boxes of all pictures to a file, for `gazecrop audit check`."
    )
    shared.add_ratios(parser)
    shared.add_policy(parser)
    shared.add_lock(parser)
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    ratios, crop_options = shared.ratios_of(options.ratios), shared.policy_of(options.policy)
    crops, found = boxes_now(options.source, ratios, crop_options)
    if not found:
        raise SourceError(f"{options.source} has no readable picture; {options.lock} is not written")
    options.lock.write_text(lock_file.dumps(found, crops), encoding="utf-8")
    print(f"{len(found):,} pictures, {len(found) * len(ratios):,} crops: {options.lock}")
    return 0


def boxes_now(
    source: str, ratios: Sequence[Ratio], crop_options: Options
) -> tuple[FolderCrops, dict[str, lock_file.Entry]]:
    """How the pictures are cropped, and the boxes of the readable ones. Raises SourceError."""
    items = pictures_of(source)
    with Maps() as maps, shared.steps(items) as step:
        crops = shared.crops_of(maps, ratios, crop_options)
        return crops, lock_file.boxes(items, crops, step)
