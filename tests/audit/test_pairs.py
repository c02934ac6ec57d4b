"""Planted biases must be found with the right size, and none if none was planted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gazecrop.audit.material.covariates import COVARIATES, covariates
from gazecrop.audit.material.joins import LAYOUTS, Shape, joined, plan
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import Person, Portrait, load_portrait, read_people, readable
from gazecrop.audit.material.saliency_models import from_function
from gazecrop.audit.studies import pairs
from gazecrop.audit.studies.bootstrap import Estimate, estimates
from gazecrop.audit.studies.cells import Cell, cells, draw_pairs
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.covariate_effects import covariate_effects
from gazecrop.audit.studies.favour import favour, measures
from gazecrop.audit.studies.pairs import Outcome, PairOptions, first_place, person_numbers
from gazecrop.console.sources import Item
from gazecrop.crop.grid import SaliencyGrid
from tests.helpers.portraits import coarse, even, towards_blue, towards_bright, towards_left, write_people

Density = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
POINT, MASS = 0, 1


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Person]:
    return readable(read_people(write_people(tmp_path_factory.mktemp("people"), 24)))[0]


def study(people: list[Person], density: Density, **options: object) -> Outcome:
    (cell,) = [cell for cell in cells(people, ["group"], least=5) if not cell.fixed]
    given = PairOptions(**{"count": 40, "layouts": ("beside", "above")} | options)  # type: ignore[arg-type]
    with Maps() as maps:
        return pairs.study(people, [cell], Context(from_function(density.__name__, density), maps), given)[0]


def found(people: list[Person], outcome: Outcome) -> dict[str, Estimate]:
    return dict(zip((m.text for m in measures()), outcome.estimates(person_numbers(people)), strict=True))


def test_a_flat_network_has_no_bias(people: list[Person]) -> None:
    result = found(people, study(people, even))
    assert result["mass"].mean == pytest.approx(0.5, abs=0.005)
    for name, estimate in result.items():
        assert estimate.low <= 0.5 <= estimate.high, name


def test_a_network_that_favours_a_group(people: list[Person]) -> None:
    """The expected size follows from the pictures: blue cells weigh three, all others one."""
    outcome = study(people, towards_blue, layouts=("beside",))
    result = found(people, outcome)
    assert outcome.cell.names == ("round", "square")
    share = []
    for person in people:
        picture = Image.open(person.item.path).convert("RGB")
        colours = coarse(np.asarray(picture))
        blue = (colours[..., 2] > 150) & (colours[..., 0] < 90)
        share.append(float(np.where(blue, 3.0, 1.0).mean()))
    groups = np.array([person.labels["group"] for person in people])
    one, other = (np.array(share)[groups == name].mean() for name in outcome.cell.names)
    assert other > 1.15
    assert result["mass"].mean == pytest.approx(one / (one + other), abs=0.015)
    assert result["mass"].high < 0.5
    assert result["point"].mean < 0.05
    assert result["point"].excludes_parity


def test_a_bias_to_the_left_cancels(people: list[Person]) -> None:
    """It cancels over both orders, and `first_place` measures it: three to one."""
    outcome = study(people, towards_left)
    result = found(people, outcome)
    assert result["mass"].low <= 0.5 <= result["mass"].high
    point, mass = first_place([outcome], "beside", person_numbers(people))
    assert mass.mean == pytest.approx(0.75, abs=0.01)
    assert point.mean == 1
    assert first_place([outcome], "above", person_numbers(people))[1].mean == pytest.approx(0.5, abs=0.01)


def test_brightness_is_found_as_a_covariate(tmp_path: Path) -> None:
    """Pictures of one group are a quarter darker. A network that favours brightness favours the other group."""
    people = readable(read_people(write_people(tmp_path, 24, dim=0.75)))[0]
    outcome = study(people, towards_bright, layouts=("beside",))
    numbers = person_numbers(people)
    assert found(people, outcome)["mass"].low > 0.6
    values = np.array([covariates(load_portrait(person)) for person in people])
    (cause,) = [
        one
        for one in covariate_effects(outcome, numbers, values, COVARIATES, MASS)
        if one.name == "brightness"
    ]
    assert cause.difference > 10
    assert cause.slope.low > 0


def test_crops_follow_the_map_and_baselines_do_not(people: list[Person]) -> None:
    result = found(people, study(people, towards_blue, layouts=("beside",)))
    assert result["kept twitter 9:16"].high < 0.5
    for policy in ("centre", "random"):
        for ratio in ("1:1", "9:16"):
            estimate = result[f"kept {policy} {ratio}"]
            assert estimate.low <= 0.5 <= estimate.high, (policy, ratio)


def test_persons_are_resampled_not_pairs() -> None:
    """Ten persons in a thousand pairs are ten observations: the interval is as wide as theirs."""
    generator = np.random.default_rng(3)
    leaning = generator.normal(0, 0.1, 10)
    first, second = generator.integers(0, 10, 1000), generator.integers(0, 500, 1000)
    values = (0.5 + leaning[first])[:, None]
    by_person = estimates(values, first, second)[0]
    by_pair = estimates(values, np.arange(1000))[0]
    assert by_person.high - by_person.low > 5 * (by_pair.high - by_pair.low)
    wide = 2 * 1.96 * float(leaning.std()) / np.sqrt(10)
    assert by_person.high - by_person.low == pytest.approx(wide, rel=0.3)


def test_an_interval_covers_the_truth_nearly_always() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        one, other = generator.normal(0, 0.1, 40), generator.normal(0, 0.1, 40)
        i, j = generator.integers(0, 40, 300), generator.integers(0, 40, 300)
        estimate = estimates((0.5 + one[i] - other[j])[:, None], i, j, draws=400)[0]
        covered += estimate.low <= 0.5 <= estimate.high
    assert 85 <= covered <= 100


def test_maps_are_computed_once(people: list[Person], tmp_path: Path) -> None:
    """A repeated study computes no map, and a longer one only the missing ones."""
    calls = []

    def counted(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        calls.append(1)
        return even(pixels)

    (cell,) = cells(people, ["group"], least=5)
    model = from_function("counted", counted)
    values = []
    for count in (6, 12, 12):
        with Maps(tmp_path / "maps.sqlite") as maps:
            options = PairOptions(count=count, layouts=("beside",))
            context = Context(model, maps, threads=1)
            values.append(pairs.study(people, [cell], context, options)[0].values)
            made = maps.made
    assert len(calls) == 24
    assert made == 0
    np.testing.assert_array_equal(values[1], values[2])


def test_a_time_limit_leaves_all_cells_with_equal_counts(people: list[Person]) -> None:
    every = cells(people, ["group", "kind"], least=3)
    with Maps() as maps:
        context = Context(from_function("even", even), maps)
        done = pairs.study(people, every, context, PairOptions(count=30, seconds=0.0))
        assert [len(outcome.pairs) for outcome in done] == [0] * len(every)
        done = pairs.study(people, every, context, PairOptions(count=3, layouts=("beside",)))
    assert {len(outcome.pairs) for outcome in done} == {3}


def test_cells_are_of_one_set_and_differ_in_one_label(tmp_path: Path) -> None:
    people = read_people(write_people(tmp_path, 16, sets=("x", "y")))
    found = cells(people, ["group", "kind"], least=4)
    assert [cell.text for cell in found if cell.set == "x"] == [
        "round : square",
        "short : tall",
        "round : square (short)",
        "round : square (tall)",
        "short : tall (round)",
        "short : tall (square)",
    ]
    for cell in found:
        assert {people[i].set for i in cell.first + cell.second} == {cell.set}
    assert not cells(people, ["group"], least=9)


@pytest.mark.parametrize(("count", "expected"), [(10, 10), (30, 30), (59, 59), (1000, 60)])
def test_pairs_are_different_and_spread(count: int, expected: int) -> None:
    cell = Cell("", ("a", "b"), "", tuple(range(6)), tuple(range(10, 20)))
    drawn = draw_pairs(cell, count)
    assert len(set(drawn)) == len(drawn) == expected
    assert all(i < 6 and j >= 10 for i, j in drawn)
    each = np.bincount([i for i, _ in drawn], minlength=6)
    assert each.max() - each.min() <= 3


def test_more_pairs_begin_with_the_fewer() -> None:
    """A longer study reuses the maps of a shorter one."""
    cell = Cell("", ("a", "b"), "", tuple(range(6)), tuple(range(10, 20)))
    most = draw_pairs(cell, 60)
    for count in (1, 29, 30, 31, 59):
        assert draw_pairs(cell, count) == most[:count]


def square(width: int, height: int, colour: tuple[int, int, int]) -> Portrait:
    return Portrait(Image.new("RGB", (width, height), colour), (0.25, 0.25, 0.5, 0.5))


@pytest.mark.parametrize(
    ("layout", "size"),
    [
        ("beside", (320 + 160, 320)),
        ("above", (320, 320 + 640)),
        ("beside-as-is", (150, 200)),
        ("above-as-is", (100, 300)),
        ("strip", (1600, 320)),
        ("tall-strip", (640 // 2, 1600)),
    ],
)
def test_joins(layout: str, size: tuple[int, int]) -> None:
    red, blue = square(100, 100, (200, 0, 0)), square(50, 100, (0, 0, 200))
    if "as-is" in layout:
        blue = square(50, 200, (0, 0, 200))
    place = plan(Shape.of(red), Shape.of(blue), LAYOUTS[layout])
    picture = joined(red, blue, place)
    assert picture.size == place.size == size
    assert place.axis == int("above" in layout or "tall" in layout)
    for (x, y, w, h), colour in zip(place.places, ((200, 0, 0), (0, 0, 200)), strict=True):
        assert picture.getpixel((round((x + w / 2) * size[0]), round((y + h / 2) * size[1]))) == colour
    face = place.faces[1]
    assert face is not None
    assert face[2] == pytest.approx(place.places[1][2] / 2)


def test_what_a_crop_keeps() -> None:
    """All saliency on the first of two squares side by side: the 1:1 window is that square."""
    density = np.full((30, 40), 1e-6)
    density[10:20, 5:15] = 1
    grid = SaliencyGrid.from_density(density, 800, 400)
    places = ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 0.5, 1.0))
    faces = ((0.13, 0.3, 0.24, 0.4), (0.63, 0.3, 0.24, 0.4))
    values = dict(zip((m.text for m in measures()), favour(grid, places, faces), strict=True))
    assert values["point"] == 1
    assert values["mass"] == pytest.approx(1)
    assert values["kept window 1:1"] == values["kept twitter 1:1"] == 1
    assert values["kept centre 1:1"] == values["kept random 1:1"] == pytest.approx(0.5)
    assert values["kept window 16:9"] == 0.5  # both faces are inside


def test_random_crops_in_closed_form() -> None:
    """Against drawing them: a face of 240 pixels at 80 in 800, a window of 400."""
    grid = SaliencyGrid.from_density(np.ones((30, 40)), 800, 400)
    faces = ((0.1, 0.3, 0.3, 0.4), (0.6, 0.3, 0.25, 0.4))
    values = dict(zip((m.text for m in measures()), favour(grid, faces, faces), strict=True))
    offsets = np.arange(0, 401)
    first = ((offsets <= 80) & (offsets + 400 >= 320)).mean()
    second = ((offsets <= 480) & (offsets + 400 >= 680)).mean()
    assert values["kept random 1:1"] == pytest.approx((1 + first - second) / 2, abs=0.003)


def test_persons_are_numbered_by_set_and_identifier() -> None:
    everybody = [
        Person(Item(n, n), who, s, {}) for n, who, s in (("a", "1", ""), ("b", "1", ""), ("c", "1", "x"))
    ]
    assert person_numbers(everybody).tolist() == [0, 0, 1]
