"""gazecrop batch: the boxes of a whole library of pictures, on all cores or on a Ray cluster.

SRC is a folder (with all below it), a picture, a glob, a .tar (as WebDataset has them), a .csv or .parquet list with a
column of paths, or - for paths on standard input, one a line; there may be several. A folder, a picture, a glob and the
paths of a list may also be s3://, gs:// and https:// (the extra [remote]; a folder of https is a page that links to its
files). DST is a folder: part-00000.jsonl and so on hold one JSON object for each picture, in the order of SRC; with
--table csv or parquet one row for each box. unreadable.txt lists the pictures that could not be read.

Pictures are named as given, those of a folder relative to it (with several SRC: with the folder). A name that is not
UTF-8 has its bytes in file_base64; `file` then shows U+FFFD for them.

The same command resumes a stopped or killed run, and adds pictures that are new in SRC.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gazecrop import __version__
from gazecrop.commands.batch.cluster import NoRay
from gazecrop.commands.batch.cluster import lines as lines_of_cluster
from gazecrop.commands.batch.local import WorkersDie
from gazecrop.commands.batch.local import lines as lines_of_cores
from gazecrop.commands.batch.results import Refused, Results
from gazecrop.commands.batch.work import Job
from gazecrop.console.environment import read_settings
from gazecrop.console.options import (
    SOME_UNREADABLE,
    STOPPED,
    USAGE,
    add_crop_options,
    add_file_options,
    exit_status,
    files_in,
    upto,
    wanted,
)
from gazecrop.console.progress import Progress
from gazecrop.console.remote import is_remote
from gazecrop.console.rows import failure, line
from gazecrop.console.sources import SourceError, arrow, pictures_of_all
from gazecrop.model import Model, calibration_of

LINE_EVERY = 10  # seconds between the lines of progress where there is no terminal
SHOWN = 20  # unreadable pictures listed on the terminal; the file lists all


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gazecrop batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0; 1 when some pictures could not be read; 2 when nothing could be done; 130 stopped.",
    )
    parser.add_argument("source", nargs="+", metavar="SRC")
    parser.add_argument("destination", metavar="DST")
    parser.add_argument(
        "--table", choices=("jsonl", "csv", "parquet"), default="jsonl", help="default: jsonl"
    )
    parser.add_argument("--column", metavar="NAME", help="of a list: where the paths are")
    parser.add_argument(
        "--workers", type=upto(1024), metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument("--ray", metavar="ADDRESS", help="a Ray cluster's (auto, ray://host:10001), or local")
    add_crop_options(parser)
    parser.add_argument("--crops", action="store_true", help="write cropped files: DST/crops/16x9/photo.jpg")
    add_file_options(parser)
    options = parser.parse_args(argv)
    return exit_status("batch", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    crops = wanted(options)
    folder = (Path(options.destination) / "crops").absolute() if options.crops else None
    files = files_in(folder, options, "--crops")
    settings = read_settings()
    job = Job(settings, crops, files, calibration_of(settings))
    if is_remote(options.destination):
        print(
            "gazecrop batch: DST is a folder of this machine: a run resumes from its journal. Copy it when it is done.",
            file=sys.stderr,
        )
        return USAGE
    destination = Path(options.destination)
    if destination.exists() and not destination.is_dir():
        print(
            f"gazecrop batch: DST is a folder for the results, {destination} is a file",
            file=sys.stderr,
        )
        return USAGE
    try:
        if options.table == "parquet":
            arrow()
        items = {item.name: item for item in pictures_of_all(options.source, options.column)}
        parameters = parameters_of(options, job, Model.load(job.settings))
        with Results(destination, parameters, list(items), options.table) as results:
            todo = list(results.missing())
            # Pictures of the plan that are no longer in the source.
            for part, place, name in todo:
                if name not in items:
                    results.add(part, place, line(failure(name, OSError("no longer in the source"))))
            todo = [each for each in todo if each[2] in items]
            pending = [items[name] for _, _, name in todo]
            workers = options.workers or job.settings.workers
            answers = (
                lines_of_cluster(job, pending, options.ray)
                if options.ray
                else lines_of_cores(job, pending, workers)
            )
            with (
                Progress(results.total, results.total - len(todo), plain=LINE_EVERY) as progress,
                closing(answers),
            ):
                for index, answer in answers:
                    results.add(*todo[index][:2], answer)
                    progress.step(failed=answer.startswith(b'{"file":') and b'"error":' in answer)
            results.finish()
            return summary(results.total, results.unreadable(), destination)
    except (SourceError, Refused, WorkersDie, NoRay) as error:
        print(f"gazecrop batch: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("gazecrop batch: stopped; the same command resumes it", file=sys.stderr)
        return STOPPED


def parameters_of(options: argparse.Namespace, job: Job, model: Model) -> dict[str, Any]:
    """All that the answers depend on: a folder with results of other values is refused."""
    crop = job.wanted.options
    return {
        "release": __version__,
        "network": f"{model.name} {model.precision} {model.sha256}",
        "table": options.table,
        "ratios": [ratio.profile or ratio.text for ratio in job.wanted.ratios],
        "policy": crop.policy,
        "careful": crop.careful,
        "protect": list(crop.protect),
        "zoom": str(crop.zoom),
        "boxes": [f"{kind}={value}" for kind, value in options.boxes],
        "candidates": crop.candidates,
        "crops": [files.format, files.width, files.height, files.quality] if (files := job.files) else None,
    }


def summary(total: int, unreadable: Iterable[bytes], destination: Path) -> int:
    failed = [entry.decode(errors="replace") for entry in unreadable]
    for entry in failed[:SHOWN]:
        print(entry.replace("\t", ": "), file=sys.stderr)
    if len(failed) > SHOWN:
        print(f"and {len(failed) - SHOWN:,} more in {destination / 'unreadable.txt'}", file=sys.stderr)
    print(
        f"boxes of {total - len(failed):,} pictures, {len(failed):,} unreadable: {destination}",
        file=sys.stderr,
    )
    return SOME_UNREADABLE if failed else 0
