"""The study of pairs: pictures of people of two groups joined in one picture, in both orders and several layouts;
whom do the point, the mass and the crops favour?

Every pair counts once: the mean over its layouts and both orders, so that a leaning of the network to the left, or of
its rule to the top, cancels. That leaning is told apart (`first_place`).
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import islice, zip_longest

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.joins import LAYOUTS, Layout, Shape, fitted, joined, plan
from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.material.portraits import Person, Sight, sight, with_room
from gazecrop.audit.material.saliency_models import Look
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.cells import Cell, draw_pairs
from gazecrop.audit.studies.favour import favour, measures
from gazecrop.crop.grid import SaliencyGrid

RECIPE = b"join 1"  # changes with what a join looks like: older maps are made anew then
AHEAD = 64  # pairs given to the threads at once
SCALED = 2048  # pictures kept as they are joined, 0.3 MB each: scaling was half of the time of a pair


@dataclass(frozen=True, slots=True)
class Asked:
    """`count` pairs for each cell; `seconds` of work after which no pair is begun (None: no limit). `room`: ground
    around every picture, as a share of its sides, by set. `variant`: one of `variants.VARIANTS`, "" for none."""

    count: int = 10_000
    layouts: tuple[str, ...] = ("beside", "above", "beside-as-is", "above-as-is")
    seconds: float | None = None
    room: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    threads: int = 2
    variant: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One cell as one network sees it. `pairs` [n, 2]: places in the list of people. `values` [n, layouts, 2, m]: every
    measure as the share of the cell's first group; the third axis is the order: first group first, then last."""

    cell: Cell
    layouts: tuple[str, ...]
    pairs: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def per_pair(self) -> NDArray[np.float64]:
        """[n, m]: the mean over layouts and orders."""
        mean: NDArray[np.float64] = self.values.mean(axis=(1, 2))
        return mean

    def estimates(self, who: NDArray[np.int64], layout: str | None = None) -> list[Estimate]:
        """In the order of `measures`. `who`: the person's number for each place in the list. `layout`: of one."""
        values = self.values if layout is None else self.values[:, [self.layouts.index(layout)]]
        return estimates(values.mean(axis=(1, 2)), who[self.pairs[:, 0]], who[self.pairs[:, 1]])


def study(
    people: Sequence[Person],
    cells: Sequence[Cell],
    look: Look,
    maps: Maps,
    asked: Asked,
    step: Callable[[], None] = lambda: None,
    change: Callable[[Sight], Sight] | None = None,
) -> list[Outcome]:
    """One outcome for each cell. Cells take turns, so that a limit of time leaves all with as many pairs. `change`: of
    every picture before it is joined; `asked.variant` is its name."""
    drawn = [draw_pairs(cell, asked.count, asked.seed) for cell in cells]
    turns = (
        (number, pair) for row in zip_longest(*drawn) for number, pair in enumerate(row) if pair is not None
    )
    layouts = [LAYOUTS[name] for name in asked.layouts]

    @lru_cache(maxsize=256)
    def seen(index: int) -> Sight:
        plain = sight(people[index])
        return with_room(change(plain) if change else plain, asked.room.get(people[index].set, 0.0))

    @lru_cache(maxsize=SCALED)
    def scaled(index: int, size: tuple[int, int]) -> Sight:
        return Sight(fitted(seen(index).picture, size))

    @cache
    def shape(index: int) -> Shape:
        return Shape.of(seen(index))

    def measured(order: tuple[int, int], layout: Layout) -> NDArray[np.float64]:
        a, b = (people[index] for index in order)
        place = plan(shape(order[0]), shape(order[1]), layout)
        room = repr(asked.room.get(a.set, 0.0)).encode()
        more = (asked.variant.encode(),) if asked.variant else ()
        kept = key(RECIPE, look.identity, a.digest, b.digest, layout.name.encode(), room, *more)

        def make() -> SaliencyGrid:
            return look.see(joined(scaled(order[0], place.sizes[0]), scaled(order[1], place.sizes[1]), place))

        grid = maps.grid(kept, make)
        return favour(grid, place.places, place.faces)

    def work(turn: tuple[int, tuple[int, int]]) -> NDArray[np.float64]:
        pair = turn[1]
        return np.stack(
            [np.stack([measured(pair, layout), 1 - measured(pair[::-1], layout)]) for layout in layouts]
        )

    end = None if asked.seconds is None else time.monotonic() + asked.seconds
    done: list[list[tuple[tuple[int, int], NDArray[np.float64]]]] = [[] for _ in cells]
    with ThreadPoolExecutor(asked.threads) as threads:
        while (end is None or time.monotonic() < end) and (some := list(islice(turns, AHEAD))):
            for turn, values in zip(some, threads.map(work, some), strict=True):
                done[turn[0]].append((turn[1], values))
                step()
    return [
        Outcome(
            cell,
            tuple(asked.layouts),
            np.array([pair for pair, _ in found], np.int64).reshape(-1, 2),
            np.array([values for _, values in found]).reshape(-1, len(layouts), 2, len(measures())),
        )
        for cell, found in zip(cells, done, strict=True)
    ]


def persons(people: Sequence[Person]) -> NDArray[np.int64]:
    """Who each picture is of, as a number."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(f"{p.set}/{p.who}", len(numbers)) for p in people], np.int64)


def first_place(
    outcomes: Sequence[Outcome], layout: str, who: NDArray[np.int64]
) -> tuple[Estimate, Estimate]:
    """What the left (upper) one gets, whoever it is: of the point, and of the mass."""
    at = outcomes[0].layouts.index(layout)
    values = np.concatenate([o.values[:, at, :, :2] for o in outcomes])
    # In the second order the cell's first group is on the right: what it does not get, the left one does.
    place = (values[:, 0] + 1 - values[:, 1]) / 2
    pairs = np.concatenate([o.pairs for o in outcomes])
    point, mass = estimates(place, who[pairs[:, 0]], who[pairs[:, 1]])
    return point, mass
