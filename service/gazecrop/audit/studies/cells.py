"""Selects the groups to compare and the pairs to draw. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, islice

import numpy as np

from gazecrop.audit.material.portraits import Person

LEAST = 30  # persons of a group; with fewer only very large gaps can be found


@dataclass(frozen=True, slots=True)
class Cell:
    """A comparison of two groups of one set that differ in one label. `fixed`: a label that all of both share. `first`,
    `second`: indices into the list of people."""

    set: str
    names: tuple[str, str]
    fixed: str
    first: tuple[int, ...]
    second: tuple[int, ...]

    @property
    def text(self) -> str:
        return f"{self.names[0]} : {self.names[1]}" + (f" ({self.fixed})" if self.fixed else "")


def cells(people: Sequence[Person], columns: Sequence[str], least: int = LEAST) -> list[Cell]:
    """Every two values of every label, among all people and among those with a common second label (intersections)."""
    found = []
    for name in sorted({person.set for person in people}):
        inside = [i for i, person in enumerate(people) if person.set == name]
        for column in columns:
            found += _compared(people, name, column, "", inside, least)
        for column in columns:
            for other in columns:
                if other == column:
                    continue
                for value in sorted({people[i].labels.get(other, "") for i in inside} - {""}):
                    some = [i for i in inside if people[i].labels.get(other) == value]
                    found += _compared(people, name, column, value, some, least)
    return found


def _compared(
    people: Sequence[Person], set: str, column: str, fixed: str, some: Sequence[int], least: int
) -> list[Cell]:
    counts = Counter(people[i].labels.get(column, "") for i in some)
    values = sorted(value for value, count in counts.items() if value and count >= least)

    def having(value: str) -> tuple[int, ...]:
        return tuple(i for i in some if people[i].labels.get(column) == value)

    return [Cell(set, pair, fixed, having(pair[0]), having(pair[1])) for pair in combinations(values, 2)]


def draw_pairs(cell: Cell, count: int, seed: int = 0) -> list[tuple[int, int]]:
    """`count` different pairs, or all, spread about evenly over the persons. The pairs of a smaller count are the first
    pairs of a larger one, so that a longer study reuses the maps of a shorter one."""
    generator = np.random.default_rng(seed)
    a, b = len(cell.first), len(cell.second)
    count = min(count, a * b)
    drawn: dict[tuple[int, int], None] = {}
    half = a * b // 2  # beyond it, most draws would repeat pairs
    while len(drawn) < min(count, half):
        firsts, seconds = generator.permutation(a), generator.permutation(b)
        for step in range(max(a, b)):
            if len(drawn) < half:
                drawn[int(firsts[step % a]), int(seconds[step % b])] = None
    if count > half:
        for place in generator.permutation(a * b).tolist():
            drawn[divmod(place, b)] = None
    return [(cell.first[i], cell.second[j]) for i, j in islice(drawn, count)]
