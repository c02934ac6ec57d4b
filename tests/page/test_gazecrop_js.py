"""gazecrop.js against gazecrop.crop.cropping: the same boxes to the pixel, on maps and ratios of every kind."""

import base64
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gazecrop.crop.answers import object_answer
from gazecrop.crop.balance import Weights
from gazecrop.crop.confidence import BEATS, Logistic
from gazecrop.crop.cropping import POLICIES, Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import KINDS, Object, most_important
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import PROFILES, parse_ratio
from tests.conftest import ROOT
from tests.helpers.javascript import Run, javascript

# The answers of gazecrop.js to a list of requests; errors as text.
ANSWER = """
(requests) => requests.map(({text, queries}) => {
  try {
    const grid = module.decode(text);
    return {
      points: grid.points, good_ratios: grid.goodRatios, flat: grid.flat, levels: [...grid.levels],
      objects: grid.objects,
      crops: queries.map(({ratio, options}) => {
        const crop = module.crop(grid, ratio, options);
        return {...crop, css: module.objectPosition(grid, crop.box)};
      }),
    };
  } catch (error) {
    return {error: error.message};
  }
})
"""


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with javascript("gazecrop") as running:
        yield running


SIZES = [
    (1, 1),
    (1, 900),
    (900, 1),
    (2, 3),
    (7, 5),
    (640, 480),
    (480, 640),
    (333, 777),
    (4000, 3000),
    (3, 4000),
]
SIZES += [(12001, 2503), (500, 10007), (9999, 6401), (1920, 1080), (1001, 1000)]
GRIDS = [(30, 40), (40, 30), (1, 1), (1, 7), (6, 1), (3, 5), (12, 64), (34, 34)]


def density(kind: int, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Maps of seven kinds: noise, one peak, several, plateaus, symmetric, a border, one cell."""
    y, x = np.mgrid[0:rows, 0:columns] / [[[max(rows, 2)]], [[max(columns, 2)]]]
    peaks: NDArray[np.float64] = sum(
        rng.uniform(0.2, 1) * np.exp(-((x - u) ** 2 + (y - v) ** 2) / rng.uniform(0.003, 0.1))
        for u, v in rng.random((1 if kind == 1 else 4, 2))
    )
    one = np.zeros((rows, columns))
    one[rng.integers(rows), rng.integers(columns)] = 1
    made: list[NDArray[np.float64]] = [
        rng.random((rows, columns)) ** 4 + 1e-9,
        peaks + 1e-9,
        peaks + 1e-9,
        np.round(peaks / peaks.max() * 3) + one,
        peaks + peaks[:, ::-1] + peaks[::-1] + peaks[::-1, ::-1],
        1.0 * ((x == 0) | (y == 0)) + 0.001,
        one,
    ]
    return made[kind]


def ratio(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(list(PROFILES))
    if kind == 1:
        return f"{rng.randint(1, 40)}:{rng.randint(2, 20)}"
    if kind == 2:
        return f"{rng.uniform(0.05, 20):.6f}"
    return f"{rng.randint(1, 999)}.{rng.randint(1, 999999):06d}:{rng.randint(100, 999)}.{rng.randint(0, 999999):06d}"


def constraint(rng: random.Random) -> Constraint:
    x, y = rng.random(), rng.random()
    if rng.random() < 0.3:
        x, y = round(x, 1), round(y, 1)
    width, height = rng.uniform(0, 1 - x) * rng.random(), rng.uniform(0, 1 - y) * rng.random()
    return Constraint(rng.choice(["keep", "avoid"]), x, y, width, height)


def random_query(rng: random.Random) -> tuple[str, Options, tuple[float, float] | None]:
    zoom = rng.choice(["1", "1", "1", "2", "4", "1.37", "1.000001", f"{rng.uniform(1, 4):.4f}"])
    constraints = tuple(constraint(rng) for _ in range(rng.choice([0, 0, 0, 1, 2, 3, 16])))
    options = Options(rng.choice(POLICIES), Fraction(zoom), constraints, rng.choice([1, 1, 1, 2, 5]))
    focus = (rng.random(), rng.random()) if options.policy == "focus" or rng.random() < 0.2 else None
    return ratio(rng), options, focus


def objects(rng: random.Random) -> tuple[Object, ...]:
    """Most of them as small as faces and lines are; some as large as the picture."""
    found = []
    for _ in range(rng.choice([1, 2, 3, 5, 16])):
        left, top = rng.randint(0, 254), rng.randint(0, 254)
        most = rng.choice([20, 60, 255])
        right, bottom = min(left + rng.randint(1, most), 255), min(top + rng.randint(1, most), 255)
        found.append(Object(rng.choice(KINDS), left, top, right, bottom, rng.randint(0, 127)))
    return most_important(found)


def cases() -> Iterator[tuple[SaliencyGrid, list[tuple[str, Options, tuple[float, float] | None]]]]:
    for seed in range(400):
        rng, noise = random.Random(seed), np.random.default_rng(seed)
        size, shape = SIZES[seed % len(SIZES)], GRIDS[seed % len(GRIDS)]
        if seed % 9 == 8:
            grid = SaliencyGrid.uniform(*shape, *size)
        else:
            symmetry = 0.3 if seed % 5 == 0 else 0.0
            grid = SaliencyGrid.from_density(density(seed % 7, *shape, noise), *size, symmetry=symmetry)
        others = random.Random(-seed)
        if seed % 2 == 0:
            grid = replace(grid, objects=objects(others))
        queries: list[tuple[str, Options, tuple[float, float] | None]] = []
        while len(queries) < 8:
            query = random_query(rng)
            try:
                parse_ratio(query[0])
            except ValueError:
                continue
            protect = others.choice([KINDS, KINDS, ("face",), ("text",), ()])
            careful = others.choice([0.5, 0.7, 0.8, 0.99])
            queries.append((query[0], replace(query[1], protect=protect, careful=careful), query[2]))
        yield grid, queries


def _options(options: Options, focus: tuple[float, float] | None) -> dict[str, Any]:
    return {
        "policy": options.policy,
        "zoom": str(float(options.zoom)),
        "constraints": [asdict(c) for c in options.constraints],
        "candidates": options.candidates,
        "protect": ",".join(options.protect) or "none",
        "careful": options.careful,
        "focus": focus and {"x": focus[0], "y": focus[1]},
    }


def _without_edges(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in ("edges", "weight")}


def test_every_box_is_the_same_as_the_servers(run: Run) -> None:
    everything = list(cases())
    requests = [
        {"text": grid.text, "queries": [{"ratio": r, "options": _options(o, f)} for r, o, f in queries]}
        for grid, queries in everything
    ]
    answers = run(ANSWER, requests)
    compared = unmet = alternatives = objects_cut = 0
    for (grid, queries), answer in zip(everything, answers, strict=True):
        assert "error" not in answer, answer
        cropper = Cropper(grid)
        assert answer["levels"] == grid.levels.ravel().tolist()
        assert answer["flat"] == grid.flat
        assert [_without_edges(one) for one in answer["objects"]] == [
            object_answer(one, grid) for one in grid.objects
        ]
        assert answer["good_ratios"] == (cropper.good_ratios and list(cropper.good_ratios))
        assert len(answer["points"]) == len(cropper.points)
        for theirs, ours in zip(answer["points"], cropper.points, strict=True):
            assert theirs == pytest.approx(asdict(ours), rel=0, abs=1e-12)
        for (text, options, focus), theirs in zip(queries, answer["crops"], strict=True):
            crop = cropper.crop(parse_ratio(text), options, focus)
            where = (grid.width, grid.height, text, options, focus)
            assert Box(**theirs["box"]) == crop.box, where
            assert theirs["policy"] == crop.policy
            assert theirs["verdict"] == crop.verdict, where
            assert theirs["whole"] == crop.whole
            assert theirs["importance_fraction"] == pytest.approx(crop.importance, rel=0, abs=1e-12)
            assert theirs["centre_fraction"] == pytest.approx(crop.centred, rel=0, abs=1e-12)
            assert theirs["gain"] == pytest.approx(crop.gain, rel=0, abs=1e-12)
            assert theirs["beats_centre"] == pytest.approx(crop.beats_centre, rel=0, abs=1e-9)
            assert [Constraint(**c) for c in theirs["unmet"]] == list(crop.unmet), where
            assert [Box(**other["box"]) for other in theirs["alternatives"]] == [
                b for b, _ in crop.alternatives
            ]
            shares = [other["importance_fraction"] for other in theirs["alternatives"]]
            assert shares == pytest.approx([share for _, share in crop.alternatives], rel=0, abs=1e-12)
            assert [other["verdict"] for other in theirs["alternatives"]] == list(crop.verdicts)
            assert (theirs["objects"] is None) == (crop.objects is None)
            if crop.objects is not None:
                seen = theirs["objects"]
                assert (seen["whole"], seen["outside"]) == (crop.objects.whole, crop.objects.outside), where
                for name in ("cut", "avoidable"):
                    expected = [object_answer(one, grid) for one in getattr(crop.objects, name)]
                    assert [_without_edges(one) for one in seen[name]] == expected, where
                objects_cut += bool(crop.objects.cut)
            compared += 1
            unmet += bool(crop.unmet)
            alternatives += bool(crop.alternatives)
    # The cases must cover unmet constraints, alternatives and objects.
    assert objects_cut > 200
    assert compared == 3200 and unmet > 200 and alternatives > 200


def test_balanced_boxes_are_the_same_on_2000_maps_with_objects(run: Run) -> None:
    """In one dimension and in two, with weights of every size; the maps as above, each with other objects."""
    requests, expected, moved = [], [], 0
    for seed in range(2000):
        rng, noise = random.Random(seed), np.random.default_rng(seed)
        size = SIZES[seed % len(SIZES)] if seed % 2 else (rng.randint(1, 5000), rng.randint(1, 5000))
        shape = GRIDS[rng.randrange(len(GRIDS))]
        grid = SaliencyGrid.from_density(density(seed % 7, *shape, noise), *size, objects=objects(rng))
        weights = (
            [0.05, 0.1, 0.02, 0.02, 0.01, 0.03]
            if seed % 3
            else [rng.choice([0, rng.random()]) for _ in range(6)]
        )
        cropper, queries = Cropper(grid, weights=Weights(*weights)), []
        for zoom in ("1", "1", rng.choice(["1.5", "2", "3.3"])):
            options = Options("balanced", Fraction(zoom), candidates=rng.choice([1, 1, 1, 2]))
            text = rng.choice([*PROFILES, f"{rng.uniform(0.05, 20):.6f}"])
            crop = cropper.crop(parse_ratio(text), options)
            sent = _options(options, None) | {
                "weights": dict(
                    zip(("middle", "mass", "face", "text", "head", "alone"), weights, strict=True)
                )
            }
            queries.append({"ratio": text, "options": sent})
            expected.append((grid, crop))
            moved += crop.box != cropper.crop(parse_ratio(text), replace(options, policy="window")).box
        requests.append({"text": grid.text, "queries": queries})
    found = [crop for answer in run(ANSWER, requests) for crop in answer["crops"]]
    assert moved > 2000
    for (grid, crop), theirs in zip(expected, found, strict=True):
        assert Box(**theirs["box"]) == crop.box, (grid.text, crop)
        assert [Box(**other["box"]) for other in theirs["alternatives"]] == [b for b, _ in crop.alternatives]


def test_the_weights_are_the_servers(run: Run) -> None:
    """Those of the shipped network, too: its maps are cropped in a browser without the manifest."""
    assert Weights(**run("() => module.WEIGHTS", None)) == Weights()
    assert tuple(run("() => module.BEATS", None)) == BEATS.weights and BEATS.intercept == 0
    manifest = json.loads((ROOT / "model_store" / "manifest.json").read_text())
    balance = manifest["networks"][manifest["default"]].get("balance")
    assert balance is None or Weights.from_manifest(balance) == Weights()
    assert balance is None or Logistic.from_manifest(balance["beats_centre"]) == BEATS


def _code(
    cells: bytes, columns: int = 4, rows: int = 3, head: bytes = b"GC1", size: int = 100, flags: int = 0
) -> str:
    code = head + bytes([columns, rows, flags]) + size.to_bytes(4) * 2 + cells
    return base64.urlsafe_b64encode(code).rstrip(b"=").decode()


def _deflate(data: bytes, level: int = 9, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, strategy=strategy)
    return packer.compress(data) + packer.flush()


CELLS = bytes([1, 2, 3, 4] * 3)
OBJECT = bytes([1, 2, 9, 10, 127])  # left, top, right, bottom, score


@pytest.mark.parametrize(
    "how", [{"level": 0}, {"strategy": zlib.Z_FIXED}, {"strategy": zlib.Z_HUFFMAN_ONLY}, {"level": 9}]
)
def test_every_kind_of_deflate_block_is_read(run: Run, how: dict[str, int]) -> None:
    cells = (
        bytes(random.Random(1).choices(range(32), k=250)) * 100
    )  # long matches at large distances, several blocks
    text = _code(_deflate(cells, **how), 250, 100)
    [answer] = run(ANSWER, [{"text": text, "queries": []}])
    assert bytes(answer["levels"]) == SaliencyGrid.from_text(text).levels.tobytes()


INVALID = {
    "empty": "",
    "other letters": "R0Mx!!!!",
    "a length no base64 has": "R0MxA",
    "only a header": _code(b""),
    "another format": _code(_deflate(CELLS), head=b"GC2"),
    "no columns": _code(_deflate(b""), columns=0),
    "no pixels": _code(_deflate(CELLS), size=0),
    "too few cells": _code(_deflate(CELLS[:-1])),
    "too many cells": _code(_deflate(CELLS + b"\1")),
    "a bomb": _code(_deflate(bytes(10_000_000))),
    "a level above 31": _code(_deflate(CELLS[:-1] + b"\x20")),
    "nothing but zeros": _code(_deflate(bytes(12))),
    "cut off": _code(_deflate(bytes(range(12)))[:-3]),
    "a block of the reserved kind": _code(b"\x07"),
    "a stored block whose length is not its complement": _code(b"\x01\x0c\x00\x00\x00" + CELLS),
    "a match from before the start": _code(bytes([0b011, 0b10, 0, 0])),
    "endless empty stored blocks": _code(b"\0\0\0\xff\xff" * 20_000),
    "an oversubscribed Huffman code": _code(b"\x05\xe0" + b"\x49" * 40),
    "a picture beyond exact sums": _code(_deflate(CELLS), size=2**32 - 1),
    "no objects": _code(b"\0" + _deflate(CELLS), head=b"GC2"),
    "seventeen objects": _code(bytes([17]) + OBJECT * 17 + _deflate(CELLS), head=b"GC2"),
    "fewer objects than their number": _code(bytes([16]) + OBJECT, head=b"GC2"),
    "an object without width": _code(b"\1\x09" + OBJECT[1:] + _deflate(CELLS), head=b"GC2"),
    "an object without height": _code(b"\1\1\x0a" + OBJECT[2:] + _deflate(CELLS), head=b"GC2"),
    "objects in version 1": _code(b"\1" + OBJECT + _deflate(CELLS)),
    "a third version": _code(b"\1" + OBJECT + _deflate(CELLS), head=b"GC3"),
    "a flag of a later version": _code(_deflate(CELLS), flags=4),
    "bytes after the end": _code(_deflate(CELLS) + b"\0"),
    "letters of the other alphabet": _code(_deflate(CELLS)).replace("-", "+") + "++++",
    "a space before it": " " + _code(_deflate(CELLS)),
}


@pytest.mark.parametrize("what", INVALID)
def test_an_invalid_map_is_an_error(run: Run, what: str) -> None:
    [answer] = run(ANSWER, [{"text": INVALID[what], "queries": []}])
    assert set(answer) == {"error"}
    assert answer["error"] in ("not the code of a grid", "a picture too large for exact sums")
    with pytest.raises(ValueError):
        SaliencyGrid.from_text(INVALID[what])


def test_damaged_strings_neither_hang_nor_differ_from_the_server(run: Run) -> None:
    rng, whole = random.Random(2), next(cases())[0].text
    damaged = []
    for _ in range(2000):
        letters = list(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            letters[rng.randrange(20, len(letters))] = rng.choice("ABCDabcd0189-_")
        damaged.append("".join(letters[: rng.randrange(21, len(letters) + 1)]))
    answers = run(ANSWER, [{"text": text, "queries": []} for text in damaged])
    read = [answer for answer in answers if "error" not in answer]
    assert len(read) < len(answers)
    for text, answer in zip(damaged, answers, strict=True):
        if "error" not in answer:  # Python decodes it, too, to the same levels
            assert answer["levels"] == SaliencyGrid.from_text(text).levels.ravel().tolist()


@pytest.mark.parametrize(
    ("ratio", "options"),
    [
        ("21:1", {}),
        ("1:20.1", {}),
        ("0:1", {}),
        ("x", {}),
        ("1:1:1", {}),
        ("-1", {}),
        ("1e1", {}),
        ("toString", {}),
        ("1:1", {"zoom": 0.5}),
        ("1:1", {"zoom": "4.1"}),
        ("1:1", {"zoom": "fast"}),
        ("1:1", {"policy": "best"}),
        ("1:1", {"protect": "faces"}),
        ("1:1", {"policy": "balanced", "weights": {"face": -1}}),
        ("1:1", {"policy": "balanced", "weights": {"face": None, "mass": "much"}}),
        ("1:1", {"protect": "face,face"}),
        ("1:1", {"protect": ""}),
        ("1:1", {"focus": {"x": 0.5, "y": None}}),
        ("1:1", {"constraints": [{"kind": "keep", "x": 0.1}]}),
    ],
)
def test_options_that_the_server_rejects_are_rejected(run: Run, ratio: str, options: dict[str, Any]) -> None:
    request = {"text": next(cases())[0].text, "queries": [{"ratio": ratio, "options": options}]}
    [answer] = run(ANSWER, [request])
    assert set(answer) == {"error"}


def test_object_position_shows_the_box(run: Run) -> None:
    grid = SaliencyGrid.from_density(density(6, 30, 40, np.random.default_rng(0)), 4000, 3000)
    [answer] = run(
        ANSWER, [{"text": grid.text, "queries": [{"ratio": r, "options": {}} for r in ("1:1", "4:3")]}]
    )
    square, whole = answer["crops"]
    x = 100 * square["box"]["x"] / (4000 - square["box"]["width"])
    assert square["css"] == f"{round(x, 2):g}% 50%"
    assert whole["css"] == "50% 50%"
