"""The fit of policy `balanced`: its table of candidates against crops by the service's own code."""

from dataclasses import replace

import numpy as np
import pytest

from gazecrop.crop.balance import Weights
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import most_important
from model_store.recipe import logistic
from model_store.recipe.judge import balance_fit, whole_objects
from model_store.recipe.judge.whole_objects import Scene, judge


def scenes(count: int = 12) -> list[Scene]:
    draw = np.random.default_rng(5)
    made = []
    for number in range(count):
        levels = (draw.random((6, 8)) ** 3 * 31).astype(np.uint8)
        levels[0, 0] = 31
        boxes = {
            kind: np.concatenate(
                [draw.random((3, 2)) * 0.7, 0.02 + draw.random((3, 2)) ** 2 * 0.28, np.ones((3, 1))], 1
            )
            for kind in ("faces", "text")
        }
        boxes |= {"heads": whole_objects.heads(boxes["faces"]), "lone": boxes["faces"][:1]}
        grid = SaliencyGrid(levels, 400, 300, objects=most_important(whole_objects.objects(boxes)))
        made.append(Scene(f"picture-{number}", grid, draw.random((40, 2)), boxes))
    return made


def test_the_table_measures_what_the_crops_do() -> None:
    some = scenes()
    table = balance_fit.candidates(some)
    every = np.ones(len(table.fold), np.bool_)
    for weights in (
        Weights(0, 0, 0, 0, 0, 0),
        Weights(0.05, 0.1, 0.05, 0.05, 0.02, 0.1),
        Weights(0.3, 0, 0.2, 0, 0.1, 0),
    ):
        found = table.measures(table.choose(weights), every)
        crops = judge(some, "balanced", weights).measures()
        assert found == pytest.approx({name: crops[name] for name in found}, nan_ok=True)
    assert table.measures(table.window(), every)["score"] == pytest.approx(
        judge(some, "window").measures()["score"]
    )


def test_the_weights_found_lose_no_more_than_those_started_from() -> None:
    table = balance_fit.candidates(scenes())
    every = np.ones(len(table.fold), np.bool_)
    window = table.measures(table.window(), every)
    found = balance_fit.search(table, every)

    def loss(weights: Weights) -> float:
        return balance_fit.loss(table.measures(table.choose(weights), every), window)

    assert loss(found) <= loss(balance_fit.START)
    assert found.mass >= balance_fit.MASS * found.middle - 1e-4
    for name in balance_fit.NAMES[2:]:  # no finer step improves it
        for factor in balance_fit.FACTORS[-1]:
            tried = replace(found, **{name: round(getattr(found, name) * factor, 4)})
            assert loss(tried) >= loss(found) - 2e-3


def test_a_regression_without_intercept_is_even_odds_at_zero() -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(4000, 2))
    y = (draw.random(4000) < 1 / (1 + np.exp(-x @ np.array([2.0, -1.0])))).astype(float)
    weights, intercept = logistic.fit(x, y, intercept=False)
    assert intercept == 0 and weights == pytest.approx([2.0, -1.0], abs=0.2)
    rows, error = logistic.reliability(1 / (1 + np.exp(-x @ np.array(weights))), y)
    assert error < 0.03 and sum(count for _, _, count in rows) == 4000
