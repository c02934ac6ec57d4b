"""The results of the studies of people as plain data, for report.json and report.html."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gazecrop.audit.material.covariates import COVARIATES
from gazecrop.audit.material.portraits import Person
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.changes import ChangeEffect, PointOnHead
from gazecrop.audit.studies.covariate_effects import covariate_effects
from gazecrop.audit.studies.favour import POLICIES, measures
from gazecrop.audit.studies.gaze import PARTS, GazeShares
from gazecrop.audit.studies.pairs import Outcome, first_place

POINT, MASS = 0, 1


def cell_of(outcome: Outcome, numbers: NDArray[np.int64], values: NDArray[np.float64]) -> dict[str, Any]:
    """One cell with one network. Shares are those of the first group. `values`: covariates of all people."""
    if not len(outcome.pairs):
        return {"pairs": 0}
    kinds = measures()
    per_pair = outcome.per_pair
    means = [
        per_pair[:, [i for i, kind in enumerate(kinds) if kind.policy == policy]].mean(axis=1)
        for policy in POLICIES
    ]
    first, second = numbers[outcome.pairs[:, 0]], numbers[outcome.pairs[:, 1]]
    found = estimates(np.column_stack([per_pair, *means]), first, second)
    kept: dict[str, dict[str, Any]] = {}
    for kind, estimate in zip(kinds, found, strict=False):
        if kind.policy:
            kept.setdefault(kind.policy, {})[kind.ratio] = estimate.json()
    for policy, estimate in zip(POLICIES, found[len(kinds) :], strict=True):
        kept[policy]["all"] = estimate.json()
    layouts = {}
    for layout in outcome.layouts:
        each = outcome.estimates(numbers, layout)
        layouts[layout] = {"point": each[POINT].json(), "mass": each[MASS].json()}
    return {
        "pairs": len(outcome.pairs),
        "joins": len(outcome.pairs) * len(outcome.layouts) * 2,
        "persons": [len(np.unique(first)), len(np.unique(second))],
        "point": found[POINT].json(),
        "mass": found[MASS].json(),
        "kept": kept,
        "layouts": layouts,
        "causes": [
            {
                "name": cause.name,
                "difference": round(cause.difference, 3),
                "slope": cause.slope.json(),
                "equal": cause.equal.json(),
            }
            for cause in covariate_effects(outcome, numbers, values, COVARIATES, MASS)
        ],
    }


def sets_of(
    people: Sequence[Person],
    columns: Sequence[str],
    outcomes: dict[str, list[Outcome]],
    values: NDArray[np.float64],
    numbers: NDArray[np.int64],
) -> list[dict[str, Any]]:
    """One entry for each set. `outcomes`: by network, with the same order of cells (one may have fewer)."""
    found = []
    for name in sorted({person.set for person in people}):
        inside = [person for person in people if person.set == name]
        cells: dict[str, dict[str, Any]] = {}
        places: dict[str, Any] = {}
        for network, every in outcomes.items():
            mine = [outcome for outcome in every if outcome.cell.set == name]
            for outcome in mine:
                cell = outcome.cell
                entry = cells.setdefault(
                    cell.text,
                    {"text": cell.text, "names": list(cell.names), "fixed": cell.fixed, "networks": {}},
                )
                entry["networks"][network] = cell_of(outcome, numbers, values)
            some = [outcome for outcome in mine if len(outcome.pairs)]
            for layout in some[0].layouts if some else ():
                point, mass = first_place(some, layout, numbers)
                places.setdefault(network, {})[layout] = {"point": point.json(), "mass": mass.json()}
        found.append(
            {
                "set": name,
                "people": len(inside),
                "faces": sum(person.face is not None for person in inside),
                "labels": {
                    column: dict(sorted(Counter(p.labels.get(column, "") for p in inside).items()))
                    for column in columns
                },
                "cells": list(cells.values()),
                "first_place": places,
            }
        )
    return found


def gaze_of(found: Sequence[GazeShares]) -> list[dict[str, Any]]:
    return [
        {
            "set": fall.set,
            "group": fall.group,
            "people": fall.people,
            "point": {part: e.json() for part, e in zip(PARTS, fall.point, strict=True)},
            "mass": {part: e.json() for part, e in zip(PARTS, fall.mass, strict=True)},
        }
        for fall in found
    ]


def effects_of(found: Sequence[ChangeEffect]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "people": one.people, "point": one.point.json(), "mass": one.mass.json()}
        for one in found
    ]


def heads_of(found: Sequence[PointOnHead]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "on_head": {group: {"people": n, **e.json()} for group, (n, e) in one.groups.items()},
        }
        for one in found
    ]


def excludes_parity(estimate: dict[str, Any]) -> bool:
    """Whether parity (0.5) is outside the interval."""
    return Estimate(estimate["mean"], estimate["low"], estimate["high"]).excludes_parity
