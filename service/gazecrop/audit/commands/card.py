"""The audit's own figures: one command that audits the default network and writes its tables into AUDIT.md.

    python -m gazecrop.audit.commands.card PEOPLE.tar --room utkface=0.5 --faces FILE.onnx --beside TWITTER.onnx \\
        --crowd DIR --photos DIR --out DIR

PEOPLE.tar: data/README.md of the training data says what is in it. TWITTER.onnx:
model_store.recipe.judge.twitter.export_fastgaze makes it. DIR takes the report with its pictures and all maps, outside
the repository: only rates over many pairs go into AUDIT.md. Every map is kept: a second run goes on where one was
stopped, and maps of a network that did not change are not made again. `--minutes` limits the largest part, the pairs
of the paper's comparisons: they are told with the number reached.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.commands import people as command_people
from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.faces import Faces, yunet
from gazecrop.audit.material.folder_crops import Eyes, Move
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import Person, read_people, sight
from gazecrop.audit.material.saliency_models import Look, of_onnx, served
from gazecrop.audit.people_audit import STUDIES, drawn_items, prepared, run, write
from gazecrop.audit.report import card_tables, summary
from gazecrop.audit.studies import compare, crowd, lock_file, pairs, stability, variants
from gazecrop.audit.studies.bootstrap import Estimate
from gazecrop.audit.studies.cells import Cell, cells
from gazecrop.audit.studies.pairs import Asked, Outcome
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import Item, pictures_of
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import parse_ratio
from gazecrop.model import STORE

README = STORE / "AUDIT.md"
PAPER = {"female", "male", "black", "white"}  # gender, group, and each of them within the other
LAYOUTS = ("above", "beside-as-is", "above-as-is", "strip")
RATIOS = tuple(parse_ratio(text) for text in ("1:1", "4:5", "9:16", "16:9"))


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    wanted = command_people.wanted_of(options, STUDIES)
    wanted = replace(wanted, asked=replace(wanted.asked, layouts=("beside",)))
    settings = read_settings()
    ours, faces = served(*load(settings)), yunet(options.faces)
    with Maps(options.out / "maps.sqlite") as maps:
        people, _ = prepared(read_people(options.source, options.images), maps, faces)
        parts, outcomes = _of_pairs(options, people, ours, maps, wanted.asked)
        data, html = run(people, [ours], maps, None, wanted, {ours.name: outcomes})
        write(options.out, data, html)
        parts |= {
            "gaze": card_tables.gaze(data["gaze"][ours.name]),
            "changes": card_tables.changes(data["changes"][ours.name]),
            "release": _release(data, maps),
        }
        if options.crowd and faces:
            parts |= _of_crowds(options.crowd, ours, maps, faces, wanted.asked.threads)
        if options.photos:
            parts |= _of_photographs(
                drawn_items(pictures_of(options.photos), options.photographs), options, maps
            )
    text = card_tables.fill(options.readme.read_text(encoding="utf-8"), parts)
    options.readme.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = command_people.parser("people")
    parser.prog = "python -m gazecrop.audit.commands.card"
    counts = {
        "others": (300, "pairs of every other comparison"),
        "arranged": (300, "pairs of the two main comparisons in each other layout"),
        "alike": (300, "pairs for what a gap hangs on"),
        "compared": (500, "pairs beside the second network, as far as --compare-minutes go"),
        "photographs": (250, "pictures of --photos, drawn at random"),
    }
    for name, (count, said) in counts.items():
        parser.add_argument(
            f"--{name}", type=int, default=count, metavar="N", help=f"{said}; default: {count}"
        )
    parser.add_argument(
        "--compare-minutes",
        type=float,
        default=2,
        metavar="M",
        help="no pair of the second network is begun after",
    )
    parser.add_argument("--crowd", metavar="DIR", help="photographs of several people, without labels")
    parser.add_argument("--photos", metavar="DIR", help="photographs of all kinds, for the stability")
    parser.add_argument(
        "--lock", type=Path, metavar="FILE", help="boxes of the network before, by `audit lock`"
    )
    parser.add_argument("--readme", type=Path, default=README, metavar="FILE", help="whose tables are filled")
    return parser


def _of_pairs(
    options: argparse.Namespace, people: Sequence[Person], ours: Look, maps: Maps, asked: Asked
) -> tuple[dict[str, str], list[Outcome]]:
    """The tables of pairs; and all outcomes side by side, for the report."""
    every = cells(people, ("gender", "group"), options.least)
    paper = [cell for cell in every if {*cell.names, cell.fixed} <= PAPER | {""}]
    rest = [cell for cell in every if cell not in paper]
    unmixed = [cell for cell in paper if not cell.fixed]
    who, values = pairs.persons(people), np.array([covariates(sight(person)) for person in people])

    def studied(some: Sequence[Cell], look: Look, **how: Any) -> list[Outcome]:
        one = replace(asked, **{"layouts": ("beside",), "seconds": None} | how)
        with Progress(sum(min(one.count, len(c.first) * len(c.second)) for c in some), plain=60) as progress:
            return pairs.study(people, some, look, maps, one, progress.step)

    def told(outcomes: Sequence[Outcome]) -> list[tuple[str, dict[str, Any]]]:
        return [(named(o.cell), summary.cell_of(o, who, values)) for o in outcomes if len(o.pairs)]

    arranged = studied(unmixed, ours, count=options.arranged, layouts=LAYOUTS)
    other = studied(rest, ours, count=options.others)
    left = []
    for cell in unmixed:  # a set that is given room is of bare faces
        names = [
            name for name in variants.VARIANTS if name not in variants.CLOTHES or not asked.room.get(cell.set)
        ]
        alike = replace(asked, count=options.alike, layouts=("beside",), seconds=None)
        total = (1 + len(names)) * min(alike.count, len(cell.first) * len(cell.second))
        with Progress(total, plain=60) as progress:
            left += variants.study(people, [cell], ours, maps, alike, names, progress.step)
    beside = []
    if options.beside:
        network = of_onnx(options.beside, options.long_side)
        with_twitter = [
            cell for cell in paper if cell.fixed not in ("black", "white")
        ]  # the paper's own four
        seconds = 60 * options.compare_minutes
        theirs = studied(with_twitter, network, count=options.compared, seconds=seconds)
        reached = max((len(outcome.pairs) for outcome in theirs), default=0)
        mine = studied(with_twitter, ours, count=reached)
        for one, other_one in zip(theirs, mine, strict=True):
            n = len(one.pairs)
            same = Outcome(other_one.cell, other_one.layouts, other_one.pairs[:n], other_one.values[:n])
            for name, outcome in ((network.name, one), (ours.name, same)):
                beside += [(groups, name, found) for groups, found in told([outcome])]
    main = studied(paper, ours, seconds=asked.seconds)  # last: what time is left goes into them
    found = told(main)
    parts = {
        "short": card_tables.short(found, beside, left),
        "pairs": card_tables.attention(found),
        "crops": card_tables.kept(found),
        "causes": card_tables.causes(found),
        "layouts": card_tables.layouts(told(arranged)),
        "places": card_tables.places(_places([*main, *arranged], who)),
        "others": card_tables.others(told(other)),
        "alike": card_tables.alike(left),
    }
    return parts | ({"compared": card_tables.compared(beside)} if beside else {}), [*main, *other]


def named(cell: Cell) -> str:
    return f"{cell.set}, {cell.text}"


def _places(outcomes: Sequence[Outcome], who: NDArray[np.int64]) -> list[tuple[str, Estimate, Estimate]]:
    found = []
    for name, mine in groupby(sorted(outcomes, key=lambda o: o.cell.set), key=lambda o: o.cell.set):
        some = [outcome for outcome in mine if len(outcome.pairs)]
        for layout in dict.fromkeys(layout for outcome in some for layout in outcome.layouts):
            having = [outcome for outcome in some if layout in outcome.layouts]
            found.append((f"{name}, {layout}", *pairs.first_place(having, layout, who)))
    return found


def _of_crowds(source: str, ours: Look, maps: Maps, faces: Faces, threads: int) -> dict[str, str]:
    items = pictures_of(source)
    with Progress(len(items), plain=60) as progress:
        seen = crowd.study(items, ours, maps, faces, threads, progress.step)
    return {"crowd": card_tables.crowd(seen)} if seen else {}


def _of_photographs(items: Sequence[Item], options: argparse.Namespace, maps: Maps) -> dict[str, str]:
    """Stability; from fp32 to int8, from the window to the point; and, with a lock, from the network before."""
    settings, asked = read_settings(), Options()
    eyes = Eyes(*load(settings), maps)

    with Progress(2 * len(items), plain=60) as progress:
        step = lambda failed: progress.step(failed=failed)  # noqa: E731 - three calls of two words each
        steady, _ = stability.study(items, eyes, RATIOS, asked, settings.workers, step)
        whole = Eyes(*load(settings.model_copy(update={"precision": "fp32"})), maps)
        switches = {
            "from fp32 to int8": ((whole, asked), (eyes, asked)),
            "from the window to the point": ((eyes, asked), (eyes, Options(policy="point"))),
        }
        rows = []
        for name, sides in switches.items():
            found, _ = compare.study(items, sides, RATIOS, settings.workers, lambda failed: None)
            rows += [replace(row, name=name) for row in found[:1]]
        if options.lock:
            lock = lock_file.read(options.lock)
            now = lock_file.boxes(items, eyes, RATIOS, asked, settings.workers, lambda failed: None)
            some = {name: about for name, about in lock["pictures"].items() if name in now}
            moves: list[Move] = [*lock_file.compared(some, now).moves]
            rows.append(stability.row(f"from {lock['network']} before to this network", moves))
    return {"stability": card_tables.moves(steady), "switches": card_tables.moves(rows)}


def _release(data: dict[str, Any], maps: Maps) -> str:
    said = [f"Network {data['networks'][0]}, release {data['release']}."]
    for each in data["sets"]:
        found = [cell["networks"][data["networks"][0]].get("pairs", 0) for cell in each["cells"]]
        said.append(
            f"{each['set']}: {each['people']} pictures, {len(found)} comparisons, {sum(found):,} pairs."
        )
    return " ".join(said)


if __name__ == "__main__":
    main()
