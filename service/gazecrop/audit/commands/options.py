"""What several commands of the audit share: their arguments, output folders, and errors in one line."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gazecrop.console.options import USAGE, exit_status
from gazecrop.console.sources import SourceError
from gazecrop.crop.cropping import Options
from gazecrop.crop.params import parse
from gazecrop.crop.ratios import Ratio

RATIOS = "1:1,4:5,9:16,16:9"


def parser_of(command: str) -> argparse.ArgumentParser:
    """A parser for a command on a folder of pictures."""
    parser = argparse.ArgumentParser(prog=f"gazecrop audit {command}")
    parser.add_argument("source", metavar="DIR", help="also a glob in quotes, a .tar, or a .csv of paths")
    return parser


def add_ratios(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ratios", default=RATIOS, metavar="R,R", help="default: %(default)s")


def add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", default="window", metavar="P", help="window, point or centre; default: %(default)s"
    )


def add_lock(parser: argparse.ArgumentParser) -> None:
    lock = Path("gazecrop.lock.json")
    parser.add_argument("--lock", type=Path, default=lock, metavar="FILE", help="default: %(default)s")


def ratios_of(text: str) -> tuple[Ratio, ...]:
    """Raises BadParameters."""
    return parse(f"ratios={text}").ratios


def policy_of(text: str) -> Options:
    """Raises BadParameters."""
    return replace(Options(), policy=parse(f"policy={text}").options.policy)


def run_command(command: str, run: Callable[[], int]) -> int:
    """The exit status of `run`; an error that the user can correct is one line on stderr."""

    def attempt() -> int:
        try:
            return run()
        except SourceError as error:
            print(f"gazecrop audit: {error}", file=sys.stderr)
            return USAGE

    return exit_status(f"audit {command}", attempt)
