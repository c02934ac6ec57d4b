"""The study of pairs: portraits of two groups joined in one picture, in both orders and several layouts. Which group do
the point, the saliency mass and the crops favour?

A pair is one observation: the mean over its layouts and both orders, which cancels a bias of the network to the left or
to the top. `first_place` measures that bias.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gazecrop.audit.material.joins import LAYOUTS, Layout, Shape, fitted, joined, plan
from gazecrop.audit.material.portrait_changes import VARIANTS
from gazecrop.audit.material.portraits import Person, Portrait, load_portrait, with_room
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.cells import Cell, draw_pairs
from gazecrop.audit.studies.context import Context, Step, no_step
from gazecrop.audit.studies.favour import favour, measures

RECIPE = b"join 1"  # cache version of joins: to change with their appearance
AHEAD = 64  # pairs submitted to the threads at once
SCALED = 2048  # cached scaled portraits, 0.3 MB each: scaling was half of the time of a pair


@dataclass(frozen=True, slots=True)
class PairOptions:
    """`count`: pairs of each cell; `seconds`: no pair is started later (None: no limit). `variant`: of every portrait
    before joining, a name in VARIANTS."""

    count: int = 10_000
    layouts: tuple[str, ...] = ("beside", "above", "beside-as-is", "above-as-is")
    seconds: float | None = None
    seed: int = 0
    variant: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Results of one cell with one network. `pairs` [n, 2]: indices into the list of people. `values` [n, layouts, 2,
    m]: measures as shares of the cell's first group; the third axis is the order: first group first, then last."""

    cell: Cell
    layouts: tuple[str, ...]
    pairs: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def per_pair(self) -> NDArray[np.float64]:
        """[n, m]: the mean over layouts and orders."""
        mean: NDArray[np.float64] = self.values.mean(axis=(1, 2))
        return mean

    def estimates(self, numbers: NDArray[np.int64], layout: str | None = None) -> list[Estimate]:
        """In the order of `measures`. `numbers`: as `person_numbers` gives. `layout`: of this one only."""
        values = self.values if layout is None else self.values[:, [self.layouts.index(layout)]]
        return estimates(values.mean(axis=(1, 2)), numbers[self.pairs[:, 0]], numbers[self.pairs[:, 1]])


def study(
    people: Sequence[Person],
    cells: Sequence[Cell],
    context: Context,
    options: PairOptions,
    step: Step = no_step,
) -> list[Outcome]:
    """One outcome for each cell. Cells take turns, so that a time limit leaves all with about as many pairs."""
    drawn = [draw_pairs(cell, options.count, options.seed) for cell in cells]
    turns = (
        (number, pair) for row in zip_longest(*drawn) for number, pair in enumerate(row) if pair is not None
    )
    layouts = [LAYOUTS[name] for name in options.layouts]

    @lru_cache(maxsize=256)
    def portrait(index: int) -> Portrait:
        person = people[index]
        return with_room(VARIANTS[options.variant](load_portrait(person)), context.margin(person))

    @lru_cache(maxsize=SCALED)
    def scaled(index: int, size: tuple[int, int]) -> Portrait:
        return Portrait(fitted(portrait(index).picture, size))

    @cache
    def shape(index: int) -> Shape:
        return Shape.of(portrait(index))

    def measured(order: tuple[int, int], layout: Layout) -> NDArray[np.float64]:
        a, b = (people[index] for index in order)
        place = plan(shape(order[0]), shape(order[1]), layout)
        more = (options.variant.encode(),) if options.variant else ()
        parts = a.digest, b.digest, layout.name.encode(), context.margin_key(a), *more

        def picture() -> Image.Image:
            return joined(scaled(order[0], place.sizes[0]), scaled(order[1], place.sizes[1]), place)

        grid = context.grid(picture, RECIPE, *parts)
        return favour(grid, place.places, place.faces, calibration=context.model.calibration)

    def work(turn: tuple[int, tuple[int, int]]) -> NDArray[np.float64]:
        pair = turn[1]
        return np.stack(
            [np.stack([measured(pair, layout), 1 - measured(pair[::-1], layout)]) for layout in layouts]
        )

    end = None if options.seconds is None else time.monotonic() + options.seconds
    done: list[list[tuple[tuple[int, int], NDArray[np.float64]]]] = [[] for _ in cells]
    while (end is None or time.monotonic() < end) and (some := list(islice(turns, AHEAD))):
        for turn, values in zip(some, context.each(work, some, step), strict=True):
            done[turn[0]].append((turn[1], values))
    return [
        Outcome(
            cell,
            tuple(options.layouts),
            np.array([pair for pair, _ in found], np.int64).reshape(-1, 2),
            np.array([values for _, values in found]).reshape(-1, len(layouts), 2, len(measures())),
        )
        for cell, found in zip(cells, done, strict=True)
    ]


def person_numbers(people: Sequence[Person]) -> NDArray[np.int64]:
    """A number for the person of each picture."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(f"{p.set}/{p.who}", len(numbers)) for p in people], np.int64)


def first_place(
    outcomes: Sequence[Outcome], layout: str, numbers: NDArray[np.int64]
) -> tuple[Estimate, Estimate]:
    """The share of the left (upper) person of any group: of the point, and of the mass."""
    at = outcomes[0].layouts.index(layout)
    values = np.concatenate([o.values[:, at, :, :2] for o in outcomes])
    # In the second order the cell's first group is on the right, and its complement is the share of the left.
    place = (values[:, 0] + 1 - values[:, 1]) / 2
    pairs = np.concatenate([o.pairs for o in outcomes])
    point, mass = estimates(place, numbers[pairs[:, 0]], numbers[pairs[:, 1]])
    return point, mass
