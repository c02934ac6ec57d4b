"""The audit's own figures: one command that audits the default network and writes its tables into README.md.

    python -m model_store.audit.card PEOPLE.tar --faces FILE.onnx --beside TWITTER.onnx --out DIR

PEOPLE.tar: data/README.md of the training data says what is in it. TWITTER.onnx:
model_store.recipe.peers.export_fastgaze makes it. DIR takes the report with its pictures and all maps, outside the
repository: only rates over many pairs go into README.md. Resumable.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model_store.audit import command_people, crowd, pairs, summary
from model_store.audit.cells import Cell, cells
from model_store.audit.faces import yunet
from model_store.audit.looks import Look, of_onnx, served
from model_store.audit.maps import Maps
from model_store.audit.page import gap, share
from model_store.audit.pair_sections import points
from model_store.audit.pairs import Asked, Outcome
from model_store.audit.people import Person, read_people
from model_store.audit.run_people import STUDIES, prepared, run, write
from service.commands.environment import read_settings
from service.commands.library.sources import pictures_of
from service.commands.options import load
from service.commands.progress import Progress

README = Path(__file__).parent / "README.md"
PAPER = (
    "female",
    "male",
    "black",
    "white",
)  # the paper's four comparisons: gender, group, group within each gender


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_people.parser("people")
    parser.prog = "python -m model_store.audit.card"
    parser.add_argument(
        "--compared", type=int, default=100, metavar="N", help="pairs beside the second network"
    )
    parser.add_argument("--compare-minutes", type=float, metavar="M")
    parser.add_argument("--crowd", metavar="DIR", help="photographs of several people, without labels")
    options = parser.parse_args(argv)
    wanted = command_people.wanted_of(options, STUDIES)
    everybody = read_people(options.source, options.images)
    ours, faces = served(*load(read_settings())), yunet(options.faces)
    with Maps(options.out / "maps.sqlite") as maps:
        data, html = run(everybody, [ours], maps, faces, wanted)
        write(options.out, data, html)
        parts = {"release": _release(data), "pairs": _pairs(data), "crops": _crops(data), "gaze": _gaze(data)}
        parts |= {"changes": _changes(data), "causes": _causes(data)}
        if options.crowd and faces:
            items = pictures_of(options.crowd)
            with Progress(len(items), plain=60) as progress:
                seen = crowd.study(items, ours, maps, faces, wanted.asked.threads, progress.step)
            if seen:
                parts["crowd"] = _crowd(seen)
        if options.beside:
            other = of_onnx(options.beside, options.long_side)
            seconds = None if options.compare_minutes is None else 60 * options.compare_minutes
            asked = replace(wanted.asked, count=options.compared, layouts=("beside",), seconds=seconds)
            people, _ = prepared(everybody, maps, faces)
            parts["compared"] = _compared(people, ours, other, maps, asked)
    text = README.read_text(encoding="utf-8")
    for name, content in parts.items():
        text = _fill(text, name, content)
    README.write_text(text, encoding="utf-8")


def _fill(text: str, marker: str, content: str) -> str:
    """Replaces what stands between <!-- marker --> and <!-- /marker -->."""
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + content + "\n" + found[2], text)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _release(data: dict[str, Any]) -> str:
    said = [
        f"Network {data['networks'][0]}, release {data['release']}, layouts {', '.join(data['asked']['layouts'])}."
    ]
    for each in data["sets"]:
        pairs = sum(cell["networks"][data["networks"][0]].get("pairs", 0) for cell in each["cells"])
        said.append(
            f"{each['set']}: {each['people']} pictures, {len(each['cells'])} comparisons, {pairs:,} pairs."
        )
    return " ".join(said)


def _each(data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    network = data["networks"][0]
    return [
        (f"{each['set']}, {cell['text']}", found)
        for each in data["sets"]
        for cell in each["cells"]
        if (found := cell["networks"].get(network, {})).get("pairs")
    ]


def _pairs(data: dict[str, Any]) -> str:
    rows = [
        (
            name,
            str(cell["pairs"]),
            " : ".join(map(str, cell["persons"])),
            share(cell["point"]),
            share(cell["mass"]),
        )
        for name, cell in _each(data)
    ]
    table = _table(
        ("first : second", "pairs", "persons", "point, % to the first", "attention, % to the first"), rows
    )
    places = [
        (f"{each['set']}, {layout}", share(found["point"]), share(found["mass"]))
        for each in data["sets"]
        for layout, found in each["first_place"].get(data["networks"][0], {}).items()
    ]
    return (
        table
        + "\n\n"
        + _table(("to the left (upper) one, whoever it is", "point, %", "attention, %"), places)
    )


def _crops(data: dict[str, Any]) -> str:
    policies = ("window", "point", "twitter", "centre", "random")
    rows = [(name, *(gap(cell["kept"][policy]["all"]) for policy in policies)) for name, cell in _each(data)]
    return _table(("first : second", "window", "point", "Twitter's rule", "centre", "random"), rows)


def _gaze(data: dict[str, Any]) -> str:
    rows = [
        (
            f"{one['set']}, {one['group']}",
            str(one["people"]),
            *(share(one["point"][part]) for part in ("head", "body", "beside")),
            share(one["mass"]["head"]),
        )
        for one in data["gaze"][data["networks"][0]]
    ]
    return _table(("", "people", "point on head, %", "on body", "beside", "attention on head"), rows)


def _changes(data: dict[str, Any]) -> str:
    found = data["changes"][data["networks"][0]]
    rows = [
        (_named(one), str(one["people"]), share(one["point"]), share(one["mass"]))
        for one in found["against_itself"]
    ]
    off = []
    for one in found["off_the_face"]:
        cells = [one["on_head"].get(group) for group in ("all", "darker skin", "lighter skin")]
        off.append((_named(one), *(f"{share(c)}, n = {c['people']}" if c else "too few" for c in cells)))
    return (
        _table(("changed : plain", "people", "point, % to the changed one", "attention, %"), rows)
        + "\n\n"
        + _table(
            ("beside the face", "point on the head, %", "darker skin (ITA, estimated)", "lighter skin"), off
        )
    )


def _crowd(seen: crowd.Crowd) -> str:
    window, centre = share(seen.kept_window.json()), share(seen.kept_centre.json())
    told = (
        f"{seen.pictures} photographs, {seen.faces:,} faces. The most salient point is on a head in "
        f"{share(seen.on_head.json())} %; faces whole in crops of 1:1 and 9:16: {window} % by the window, {centre} % "
        "by the centre crop."
    )
    rows = [(name, points(slope.json())) for name, slope in seen.slopes.items()]
    return (
        f"{told}\n\n{_table(('of two faces, one standard deviation more of', 'points of attention'), rows)}"
    )


def _named(one: dict[str, Any]) -> str:
    return f"{one['set']}, {one['name']}" if one.get("set") else str(one["name"])


def _causes(data: dict[str, Any]) -> str:
    rows = [
        (
            name,
            cause["name"],
            f"{cause['difference']:+.2f}",
            points(cause["slope"]),
            share(cell["mass"]),
            share(cause["equal"]),
        )
        for name, cell in _each(data)
        for cause in cell["causes"]
        if "(" not in name and (cause["slope"]["low"] > 0 or cause["slope"]["high"] < 0)
    ]
    head = (
        "first : second",
        "covariate",
        "mean difference",
        "points per standard deviation",
        "attention",
        "at equal",
    )
    return _table(head, rows) if rows else "None of the covariates goes with attention by more than chance."


def _compared(people: Sequence[Person], ours: Look, other: Look, maps: Maps, asked: Asked) -> str:
    """The paper's four comparisons of each set, by both networks on the same pairs, side by side."""
    every = [cell for cell in cells(people, ("gender", "group")) if _of_paper(cell)]
    theirs = pairs.study(people, every, other, maps, asked)
    who = pairs.persons(people)
    values = np.zeros((len(people), 0))  # no covariates here
    rows = []
    for cell, outcome in zip(every, theirs, strict=True):
        count = len(outcome.pairs)
        same: Outcome = pairs.study(
            people, [cell], ours, maps, replace(asked, count=max(count, 1), seconds=None)
        )[0]
        same = Outcome(cell, same.layouts, same.pairs[:count], same.values[:count])
        if not count:
            continue
        for name, found in ((other.name, outcome), (ours.name, same)):
            told = summary.cell_of(found, who, values)
            rows.append(
                (
                    f"{cell.set}, {cell.text}",
                    name,
                    str(count),
                    share(told["point"]),
                    share(told["mass"]),
                    gap(told["kept"]["window"]["all"]),
                    gap(told["kept"]["twitter"]["all"]),
                )
            )
    head = (
        "first : second",
        "network",
        "pairs",
        "point, %",
        "attention, %",
        "window keeps ±",
        "Twitter's rule keeps ±",
    )
    return _table(head, rows)


def _of_paper(cell: Cell) -> bool:
    return {*cell.names} <= {*PAPER} and cell.fixed in ("", "female", "male")


if __name__ == "__main__":
    main()
