"""The sections of AUDIT.md, each from the studies that it shows; by the name of the mark in the page."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.commands.options import crops_of, steps
from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.faces import Faces
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import Person, load_portrait
from gazecrop.audit.material.saliency_models import from_onnx
from gazecrop.audit.report import card_tables, people_data
from gazecrop.audit.report.card_sentences import sentences
from gazecrop.audit.studies import compare, crowd, lock_file, pairs, stability, variants
from gazecrop.audit.studies.bootstrap import Estimate
from gazecrop.audit.studies.cells import Cell, cells
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.pairs import Outcome, PairOptions
from gazecrop.console.progress import Progress
from gazecrop.console.sources import Item, pictures_of
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import parse_ratio

PAPER = {"female", "male", "black", "white"}  # the paper's groups; it compares them also within each other
LAYOUTS = ("above", "beside-as-is", "above-as-is", "strip")
RATIOS = tuple(parse_ratio(text) for text in ("1:1", "4:5", "9:16", "16:9"))

# The marks of the page that each part fills.
MAIN = frozenset(("short", "pairs", "crops", "causes", "places", "release"))
OTHERS = frozenset(("others", "release"))
ARRANGED = frozenset(("layouts", "places"))
ALIKE = frozenset(("short", "alike"))
COMPARED = frozenset(("short", "compared"))
PHOTOGRAPHS = frozenset(("stability", "switches"))
ALL = MAIN | OTHERS | ARRANGED | ALIKE | COMPARED | PHOTOGRAPHS | {"gaze", "detection", "changes", "crowd"}

Row = tuple[str, dict[str, Any]]  # "set, first : second", and the data of `people_data.cell_of`


def _pairs_of(some: Sequence[Cell], count: int) -> int:
    return sum(min(count, len(cell.first) * len(cell.second)) for cell in some)


def pair_sections(
    options: argparse.Namespace,
    people: Sequence[Person],
    context: Context,
    pair_options: PairOptions,
    wanted: frozenset[str] = ALL,
) -> tuple[dict[str, str], list[Outcome]]:
    """The tables of pairs, and all outcomes in the layout "beside", for the report. `wanted`: the marks to fill; only
    the studies that they need are made."""
    if not wanted & (MAIN | OTHERS | ARRANGED | ALIKE | COMPARED):
        return {}, []
    every = cells(people, ("gender", "group"), options.least)
    paper = [cell for cell in every if {*cell.names, cell.fixed} <= PAPER | {""}]
    rest = [cell for cell in every if cell not in paper]
    main_cells = [cell for cell in paper if not cell.fixed]
    numbers = pairs.person_numbers(people)
    values = np.array([covariates(load_portrait(person)) for person in people])
    plain = replace(pair_options, layouts=("beside",), seconds=None)

    def study(some: Sequence[Cell], context: Context, **changed: Any) -> list[Outcome]:
        own = replace(plain, **changed)
        with Progress(_pairs_of(some, own.count), plain=60) as progress:
            return pairs.study(people, some, context, own, progress.step)

    def rows(outcomes: Sequence[Outcome]) -> list[Row]:
        return [(named(o.cell), people_data.cell_of(o, numbers, values)) for o in outcomes if len(o.pairs)]

    arranged: list[Outcome] = []
    other: list[Outcome] = []
    main_outcomes: list[Outcome] = []
    ablation: list[variants.VariantGap] = []
    if wanted & ARRANGED:
        arranged = study(main_cells, context, count=options.arranged, layouts=LAYOUTS)
    if wanted & OTHERS:
        other = study(rest, context, count=options.others)
    if wanted & ALIKE:
        ablation = _ablation(main_cells, people, context, replace(plain, count=options.alike))
    compared: list[tuple[str, str, dict[str, Any]]] = []
    if options.beside and wanted & COMPARED:
        second = replace(context, model=from_onnx(options.beside, options.long_side))
        # The paper has no comparisons of gender within a group.
        some = [cell for cell in paper if cell.fixed not in ("black", "white")]
        theirs = study(some, second, count=options.compared, seconds=60 * options.compare_minutes)
        mine = study(some, context, count=max((len(outcome.pairs) for outcome in theirs), default=0))
        for one, own in zip(theirs, mine, strict=True):
            n = len(one.pairs)
            same = Outcome(own.cell, own.layouts, own.pairs[:n], own.values[:n])
            for name, outcome in ((second.model.name, one), (context.model.name, same)):
                compared += [(groups, name, found) for groups, found in rows([outcome])]
    if wanted & MAIN:  # last: it takes the remaining time
        main_outcomes = study(paper, context, seconds=pair_options.seconds)
    main_rows = rows(main_outcomes)
    made: dict[str, Callable[[], str]] = {
        "short": lambda: sentences(main_rows, compared, ablation),
        "pairs": lambda: card_tables.attention(main_rows),
        "crops": lambda: card_tables.kept(main_rows),
        "causes": lambda: card_tables.causes(main_rows),
        "layouts": lambda: card_tables.layouts(rows(arranged)),
        "places": lambda: card_tables.places(_places([*main_outcomes, *arranged], numbers)),
        "others": lambda: card_tables.others(rows(other)),
        "alike": lambda: card_tables.alike(ablation),
    }
    if compared:
        made["compared"] = lambda: card_tables.compared(compared)
    sections = {name: make() for name, make in made.items() if name in wanted}
    return sections, [*main_outcomes, *other]


def named(cell: Cell) -> str:
    return f"{cell.set}, {cell.text}"


def _ablation(
    some: Sequence[Cell],
    people: Sequence[Person],
    context: Context,
    options: PairOptions,
) -> list[variants.VariantGap]:
    """One cell at a time, since a set with a margin has bare face chips, which show no clothes."""
    found = []
    for cell in some:
        names = [
            name for name in variants.NAMES if name not in variants.CLOTHES or not context.room.get(cell.set)
        ]
        with Progress((1 + len(names)) * _pairs_of([cell], options.count), plain=60) as progress:
            found += variants.study(people, [cell], context, options, names, progress.step)
    return found


def _places(outcomes: Sequence[Outcome], numbers: NDArray[np.int64]) -> list[tuple[str, Estimate, Estimate]]:
    """By set and layout: the share of the left (upper) person of the point and of the attention."""
    found = []
    for name, mine in groupby(sorted(outcomes, key=lambda o: o.cell.set), key=lambda o: o.cell.set):
        some = [outcome for outcome in mine if len(outcome.pairs)]
        for layout in dict.fromkeys(layout for outcome in some for layout in outcome.layouts):
            having = [outcome for outcome in some if layout in outcome.layouts]
            found.append((f"{name}, {layout}", *pairs.first_place(having, layout, numbers)))
    return found


def crowd_sections(source: str, context: Context, faces: Faces) -> dict[str, str]:
    items = pictures_of(source)
    with Progress(len(items), plain=60) as progress:
        found = crowd.study(items, context, faces, progress.step)
    return {"crowd": card_tables.crowd(found)} if found else {}


def photograph_sections(items: Sequence[Item], options: argparse.Namespace, maps: Maps) -> dict[str, str]:
    """Stability; from fp32 to int8; from the window to the point; and with a lock file, from the previous network."""
    crops = crops_of(maps, RATIOS, Options(policy="window"))
    with steps(items) as step:
        stable, _ = stability.study(items, crops, step)
    switches = {
        "from fp32 to int8": (crops_of(maps, RATIOS, Options(policy="window"), precision="fp32"), crops),
        "from the window to the point": (crops, replace(crops, options=Options(policy="point"))),
    }
    rows = []
    for name, (before, after) in switches.items():
        with steps(items) as step:
            found, _ = compare.study(items, before, after, step)
        rows += [replace(row, name=name) for row in found[:1]]
    if options.lock:
        lock = lock_file.read(options.lock)
        with steps(items) as step:
            now = lock_file.boxes(items, crops, step)
        some = {name: entry for name, entry in lock["pictures"].items() if name in now}
        moves = lock_file.compare_boxes(some, now).moves
        rows.append(stability.row(f"from {lock['network']} before to this network", moves))
    return {"stability": card_tables.moves(stable), "switches": card_tables.moves(rows)}
