"""gazecrop audit check: fails if crops have moved since `gazecrop audit lock`."""

import argparse
import sys
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.commands.lock import boxes_now
from gazecrop.audit.material.folder_crops import MOVED
from gazecrop.audit.studies import lock_file

LISTED = 20  # lines of each kind of difference; more of them are counted


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(command, "Fails (status 1) if crops have moved since `gazecrop audit lock`.")
    shared.add_lock(parser)
    parser.add_argument(
        "--tolerance",
        type=float,
        default=100 * MOVED,
        metavar="PERCENT",
        help="of the frame; default: %(default)g",
    )
    parser.add_argument(
        "--allow",
        type=float,
        default=0.0,
        metavar="PERCENT",
        help="share of crops that may move further than the tolerance; default: %(default)g",
    )
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """0 if no more crops moved than allowed and every locked picture is there in the same size; otherwise 1."""
    lock = lock_file.read(options.lock)
    crops, now = boxes_now(options.source, lock["ratios"], shared.policy_of(lock["policy"]))
    result = lock_file.compare_boxes(lock["pictures"], now)
    beyond = result.beyond(options.tolerance / 100)
    if not result.moves and not result.resized:
        print(
            f"gazecrop audit: nothing matched: none of the {len(lock['pictures']):,} pictures in {options.lock} is in "
            f"{options.source}",
            file=sys.stderr,
        )
        return 1
    share = 100 * len(beyond) / max(1, len(result.moves))
    for move in beyond[:LISTED]:
        print(f"{move.file} {move.ratio}: moved by {100 * move.distance:.1f} % of the frame")
    if len(beyond) > LISTED:
        print(f"and {len(beyond) - LISTED:,} more")
    for names, difference in ((result.missing, "missing or unreadable"), (result.resized, "of another size")):
        for name in names[:LISTED]:
            print(f"{name}: {difference}")
        if len(names) > LISTED:
            print(f"and {len(names) - LISTED:,} more {difference}")
    print(
        f"{len(result.moves):,} crops by {crops.model.name} (locked: {lock['network']}): {share:.1f} % moved by more "
        f"than {options.tolerance:g} % of the frame (allowed: {options.allow:g} %). "
        f"{len(result.new)} pictures are not locked."
    )
    return int(share > options.allow or bool(result.missing) or bool(result.resized))
