"""Ablation: portraits equalised in one respect at a time. A gap that vanishes was due to what was equalised.

The same pairs are joined again after the same transformation of every portrait of both groups. The change of the gap is
due to what the transformation removed, the rest to something else. A transformation removes more than its name (a
covered body also has no edges), and a gap may shrink because little saliency is left: one row alone proves little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.portrait_changes import VARIANTS
from gazecrop.audit.material.portraits import Person
from gazecrop.audit.studies import pairs
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.cells import Cell
from gazecrop.audit.studies.context import Context, Step, no_step
from gazecrop.audit.studies.favour import measures
from gazecrop.audit.studies.pairs import Outcome, PairOptions

POINT, MASS = 0, 1
CLOTHES = "clothes without colour", "clothes covered"  # not for face chips, which show none
NAMES = tuple(name for name in VARIANTS if name)


@dataclass(frozen=True, slots=True)
class VariantGap:
    """One cell with one variant ("": unchanged portraits). `point`, `mass`: shares of the first group; `kept`: measure
    of the faces kept whole by the window; `moved`: point, mass and kept minus those of unchanged portraits, on the same
    pairs."""

    cell: Cell
    variant: str
    pairs: int
    point: Estimate
    mass: Estimate
    kept: Estimate
    moved: tuple[Estimate, Estimate, Estimate] | None

    @property
    def name(self) -> str:
        return f"{self.cell.set}, {self.cell.text}"


def study(
    people: Sequence[Person],
    cells: Sequence[Cell],
    context: Context,
    options: PairOptions,
    names: Sequence[str] = NAMES,
    step: Step = no_step,
) -> list[VariantGap]:
    """For each cell the unchanged portraits, then each variant. All people must have a face."""
    numbers = pairs.person_numbers(people)
    every = {
        name: pairs.study(people, cells, context, replace(options, variant=name), step)
        for name in ("", *names)
    }
    found = []
    for number, cell in enumerate(cells):
        plain = every[""][number]
        for name, outcomes in every.items():
            outcome = outcomes[number]
            count = min(len(plain.pairs), len(outcome.pairs))
            if not count:
                continue
            first, second = numbers[outcome.pairs[:count, 0]], numbers[outcome.pairs[:count, 1]]
            now, before = _three(outcome)[:count], _three(plain)[:count]
            point, mass, kept = estimates(now, first, second)
            moved = estimates(now - before, first, second) if name else None
            three = (moved[0], moved[1], moved[2]) if moved else None
            found.append(VariantGap(cell, name, count, point, mass, kept, three))
    return found


def _three(outcome: Outcome) -> NDArray[np.float64]:
    """[n, 3]: point, mass, and what the window keeps as the mean over the ratios."""
    window = [i for i, kind in enumerate(measures()) if kind.policy == "window"]
    per_pair = outcome.per_pair
    return np.column_stack([per_pair[:, POINT], per_pair[:, MASS], per_pair[:, window].mean(axis=1)])
