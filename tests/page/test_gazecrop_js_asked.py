"""gazecrop.js against the server in what people ask for: zoom=auto, fields, on random maps, to the pixel."""

import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction

import numpy as np
import pytest

from gazecrop.crop.answers import crop_answer
from gazecrop.crop.cropping import POLICIES, Cropper, Options
from gazecrop.crop.fields import FORMS
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import KINDS
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import PROFILES, parse_ratio
from gazecrop.crop.zooming import AutoZoom
from gazecrop.python_api.picture import Picture
from tests.helpers.javascript import Run, javascript
from tests.page.test_gazecrop_js import ANSWER, GRIDS, SIZES, _options, constraint, density, objects


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with javascript("gazecrop") as running:
        yield running


def maps(count: int) -> Iterator[tuple[random.Random, SaliencyGrid]]:
    """Every other one with objects."""
    for seed in range(count):
        rng, noise = random.Random(seed), np.random.default_rng(seed)
        size = SIZES[seed % len(SIZES)] if seed % 2 else (rng.randint(1, 5000), rng.randint(1, 5000))
        shape = GRIDS[rng.randrange(len(GRIDS))]
        grid = SaliencyGrid.from_density(density(seed % 7, *shape, noise), *size)
        yield rng, replace(grid, objects=objects(rng)) if seed % 4 < 2 else grid


def test_subjects_are_the_same_on_2000_maps(run: Run) -> None:
    requests, expected, policies = [], [], set()
    for rng, grid in maps(2000):
        cropper, queries = Cropper(grid), []
        for _ in range(2):
            policy = rng.choice(("auto", "auto", *POLICIES))
            focus = (rng.random(), rng.random()) if policy == "focus" or rng.random() < 0.2 else None
            may_align = policy in ("auto", "focus") and rng.random() < 0.4
            auto = AutoZoom(
                Fraction(rng.choice(["0.6", "0.3", "0.9", f"{rng.uniform(0.3, 0.9):.5f}"])),
                (round(rng.random(), 3), rng.random()) if may_align else None,
                rng.choice([(1, 1), (1, 1), (rng.randint(1, 3000), 1), (rng.randint(1, 900), 400)]),
            )
            constraints = tuple(constraint(rng) for _ in range(rng.choice([0, 0, 0, 1, 2])))
            options = Options(
                policy,
                constraints=constraints,
                candidates=rng.choice([1, 1, 1, 2]),
                protect=rng.choice([KINDS, KINDS, ("face",), ()]),
                auto_zoom=auto,
            )
            text = rng.choice([*PROFILES, f"{rng.uniform(0.05, 20):.6f}"])
            crop = cropper.crop(parse_ratio(text), options, focus)
            sent = _options(options, focus) | {"zoom": "auto", "fill": float(auto.fill)}
            sent |= {"pixels": dict(zip(("width", "height"), auto.pixels, strict=True))}
            if auto.align:
                sent["align"] = dict(zip("xy", auto.align, strict=True))
            queries.append({"ratio": text, "options": sent})
            expected.append((grid, crop, sent))
            policies.add((crop.policy, bool(crop.zoom and crop.zoom > 1)))
        requests.append({"text": grid.text, "queries": queries})
    answers = run(ANSWER, requests)
    assert not [answer["error"] for answer in answers if "error" in answer]
    found = [crop for answer in answers for crop in answer["crops"]]
    assert {("subject", True), ("subject", False), ("focus", True), ("balanced", True)} <= policies
    for (grid, crop, sent), theirs in zip(expected, found, strict=True):
        assert Box(**theirs["box"]) == crop.box, (grid.text, crop, sent)
        assert theirs["policy"] == crop.policy
        assert theirs["zoom"] == pytest.approx(float(crop.zoom or 1), rel=1e-12)
        assert [Box(**other["box"]) for other in theirs["alternatives"]] == [b for b, _ in crop.alternatives]


def random_overlay(rng: random.Random) -> Constraint:
    x, y = rng.random() * 0.9, rng.random() * 0.9
    return Constraint("overlay", x, y, rng.uniform(0.01, 1 - x), rng.uniform(0.01, 1 - y))


def test_overlays_are_the_same_on_1000_maps(run: Run) -> None:
    requests, expected, moved, unmet = [], [], 0, 0
    for rng, grid in maps(1000):
        cropper = Cropper(grid)
        overlays = tuple(random_overlay(rng) for _ in range(rng.choice([1, 1, 2, 4])))
        auto = AutoZoom(Fraction(rng.choice(["0.4", "0.6"]))) if rng.random() < 0.3 else None
        options = Options(
            "auto" if auto else rng.choice(("window", "balanced", "focus")),
            Fraction(1) if auto else Fraction(rng.choice(["1", "1", "1.5", "2"])),
            tuple(constraint(rng) for _ in range(rng.choice([0, 0, 1]))),
            rng.choice([1, 1, 2]),
            rng.choice([KINDS, KINDS, ("face",), ()]),
            auto_zoom=auto,
            overlays=overlays,
        )
        focus = (rng.random(), rng.random()) if options.policy == "focus" else None
        text = rng.choice([*PROFILES, f"{rng.uniform(0.05, 20):.6f}"])
        crop = cropper.crop(parse_ratio(text), options, focus)
        sent = _options(options, focus) | {"overlays": [asdict(each) for each in overlays]}
        if auto:
            sent |= {"zoom": "auto", "fill": float(auto.fill)}
        requests.append({"text": grid.text, "queries": [{"ratio": text, "options": sent}]})
        expected.append((grid, crop, sent))
        moved += crop.box != cropper.crop(parse_ratio(text), replace(options, overlays=()), focus).box
        unmet += any(each.kind == "overlay" for each in crop.unmet)
    answers = run(ANSWER, requests)
    assert not [answer["error"] for answer in answers if "error" in answer]
    assert moved > 300 and unmet > 100
    for (grid, crop, sent), answer in zip(expected, answers, strict=True):
        [theirs] = answer["crops"]
        assert Box(**theirs["box"]) == crop.box, (grid.text, crop, sent)
        assert [Constraint(**each) for each in theirs["unmet"]] == list(crop.unmet)
        assert [Box(**other["box"]) for other in theirs["alternatives"]] == [b for b, _ in crop.alternatives]


def test_fields_are_the_same_on_1000_maps(run: Run) -> None:
    requests, expected = [], []
    for rng, grid in maps(1000):
        cropper, zoom = Cropper(grid), rng.choice(["1", "1", "2", "3.3"])
        text = rng.choice([*PROFILES, f"{rng.uniform(0.05, 20):.6f}"])
        names = tuple(rng.sample(list(FORMS), rng.choice([1, len(FORMS)])))
        options = Options("window", Fraction(zoom), fields=names)
        sent = {"policy": "window", "zoom": zoom, "fields": ",".join(names)}
        requests.append({"text": grid.text, "queries": [{"ratio": text, "options": sent}]})
        expected.append(crop_answer(cropper.crop(parse_ratio(text), options), cropper)["fields"])
    found = [answer["crops"][0]["fields"] for answer in run(ANSWER, requests)]
    for theirs, ours in zip(found, expected, strict=True):
        assert theirs == ours and list(theirs) == list(ours)


MARKUP = """
(requests) => requests.map(({text, breakpoints, options}) => {
  try {
    return module.picture(module.decode(text), breakpoints, options);
  } catch (error) {
    return {error: error.message};
  }
})
"""


def test_markup_is_the_same(run: Run) -> None:
    requests, expected = [], []
    for rng, grid in maps(60):
        at = ",".join(
            f"{rng.choice([*PROFILES, '3:2'])}@{width}"
            for width in rng.sample(range(1, 10000), rng.randint(0, 4))
        )
        breakpoints = ",".join(filter(None, [at, rng.choice(["16:9", "wide"])]))
        src, alt = (
            rng.choice(["{ratio}.jpg", "/a'b/{x}_{y}_{width}_{height}.webp?a=1&b=2"]),
            "A <b> & \"c\" 'd'",
        )
        requests.append(
            {
                "text": grid.text,
                "breakpoints": breakpoints,
                "options": {"src": src, "alt": alt, "policy": "window"},
            }
        )
        expected.append(Picture(grid).markup(breakpoints, src=src, alt=alt, policy="window"))
    assert run(MARKUP, requests) == expected
    for breakpoints, options in (
        ("1:1@480", {}), ("1:1,4:5", {}), ("1:1@0,2", {}), ("x", {}), ("1:1", {"src": "javascript:x"}),
        ("1:1", {"src": "a b"}), ("1:1", {"src": "{name}"}), ("1:1", {"src": "{"}), ("1:1", {"alt": "x" * 401}),
    ):  # fmt: skip
        [answer] = run(
            MARKUP, [{"text": requests[0]["text"], "breakpoints": breakpoints, "options": options}]
        )
        assert set(answer) == {"error"}, breakpoints


@pytest.mark.parametrize(
    "options",
    [
        {"fields": "sanity,drupal"},
        {"overlays": [{"x": 0, "y": 0, "width": 0, "height": 1}]},
        {"overlays": [{"x": 0.5, "y": 0, "width": 0.6, "height": 1}]},
        {"overlays": [{"x": 0.5, "y": 0}]},
        {"overlays": [{"x": 0, "y": 0, "width": 1, "height": 1}] * 5},
        {"fields": "kirby,kirby"},
        {"fields": "constructor"},
        {"fill": 0.6},
        {"zoom": 2, "align": {"x": 0.5, "y": 0.5}},
        {"zoom": "auto", "fill": 0.29},
        {"zoom": "auto", "fill": 1},
        {"zoom": "auto", "align": {"x": 2, "y": 0}},
        {"zoom": "auto", "align": {"x": 0.5}},
        {"zoom": "auto", "align": {"x": 0.5, "y": 0.5}, "policy": "window"},
        {"zoom": "auto", "pixels": {"width": 0}},
        {"zoom": "auto", "pixels": {"height": 1.5}},
        {"zoom": "closest"},
    ],
)
def test_options_that_the_server_rejects_are_rejected(run: Run, options: dict[str, object]) -> None:
    grid = SaliencyGrid(np.array([[3, 31]], np.uint8), 640, 480)
    [answer] = run(ANSWER, [{"text": grid.text, "queries": [{"ratio": "1:1", "options": options}]}])
    assert set(answer) == {"error"}
