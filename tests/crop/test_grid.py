import base64
import re
import struct
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gazecrop.crop.grid import SaliencyGrid, asymmetry
from tests.helpers.brute import grids


def packed(
    cells: bytes, columns: int = 3, rows: int = 2, flags: int = 0, width: int = 640, height: int = 480
) -> bytes:
    """A code made by hand from the format's description."""
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(cells) + packer.flush()
    return b"GC1" + bytes([columns, rows, flags]) + struct.pack(">II", width, height) + body


GOOD = packed(bytes([0, 1, 1, 3, 26, 0]))


def same(a: SaliencyGrid, b: SaliencyGrid) -> bool:
    flags = (a.width, a.height, a.symmetric, a.rotated) == (b.width, b.height, b.symmetric, b.rotated)
    return flags and np.array_equal(a.levels, b.levels) and b.levels.dtype == np.uint8


@given(grids(side=2**18, cells=40), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=100)
def test_a_code_round_trips(grid: SaliencyGrid, symmetric: bool, rotated: bool) -> None:
    grid = SaliencyGrid(grid.levels, grid.width, grid.height, symmetric, rotated)
    assert same(grid, SaliencyGrid.from_code(grid.code))
    assert same(grid, SaliencyGrid.from_text(grid.text))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", grid.text)
    assert SaliencyGrid.from_code(grid.code).code == grid.code


def test_the_format_is_as_documented() -> None:
    grid = SaliencyGrid.from_code(packed(bytes([0, 1, 1, 3, 26, 0]), flags=2))
    assert grid.levels.tolist() == [[0, 1, 2], [3, 30, 31]]
    assert (grid.rows, grid.columns, grid.width, grid.height) == (2, 3, 640, 480)
    assert (grid.symmetric, grid.rotated, grid.flat) == (False, True, False)
    assert SaliencyGrid.from_code(packed(bytes([1, 1, 1, 1, 1, 1]), flags=1)).symmetric
    assert grid.text.startswith("R0Mx")
    assert zlib.decompress(base64.urlsafe_b64decode(grid.text + "==")[14:], -15) == bytes([0, 1, 1, 3, 26, 0])


def test_a_typical_map_is_a_short_string() -> None:
    down, across = np.mgrid[0:30, 0:40]
    density = np.exp(-((across - 14) ** 2 + (down - 12) ** 2) / 50) + 0.6 * np.exp(
        -((across - 30) ** 2 + (down - 20) ** 2) / 30
    )
    assert len(SaliencyGrid.from_density(density, 4000, 3000).text) <= 600


BAD = {
    "empty": b"",
    "short header": GOOD[:13],
    "header alone": GOOD[:14],
    "other magic": b"GC2" + GOOD[3:],
    "truncated": GOOD[:-1],
    "trailing bytes": GOOD + b"x",
    "another stream behind": GOOD + GOOD[14:],
    "one cell less": packed(bytes(range(5))),
    "one cell more": packed(bytes(range(7))),
    "no columns": packed(b"", columns=0),
    "no rows": packed(b"", rows=0),
    "no width": packed(bytes([1] * 6), width=0),
    "no height": packed(bytes([1] * 6), height=0),
    "a level above 31": packed(bytes([0, 1, 2, 3, 30, 32])),
    "nothing but zeros": packed(bytes(6)),
    "unknown flags": packed(bytes([1] * 6), flags=4),
    "a bomb": packed(bytes(50_000_000)),
    "sums past 2^53": packed(bytes([31] * 255 * 255), 255, 255, 0, 2**32 - 1, 2**32 - 1),
    "squares past 2^63": packed(bytes([31]), 1, 1, 0, 2**31, 1),
    "a zlib wrapper": GOOD[:14] + zlib.compress(bytes([0, 1, 2, 3, 30, 31])),
}


@pytest.mark.parametrize("code", BAD.values(), ids=BAD)
def test_a_wrong_code_is_a_value_error(code: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        SaliencyGrid.from_code(code)
    with pytest.raises(ValueError, match=r"\w"):
        SaliencyGrid.from_text(base64.urlsafe_b64encode(code).rstrip(b"=").decode())


@pytest.mark.parametrize(
    "text", ["R", "R0Mx=", "ä", "R0Mx\n", "R0Mx R0Mx", "\x00", "💥" * 20, "+/+/", "===="]
)
def test_a_wrong_string_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        SaliencyGrid.from_text(text)
    good = SaliencyGrid.from_code(GOOD).text
    with pytest.raises(ValueError, match=r"\w"):
        SaliencyGrid.from_text(good + text)


@given(st.binary(max_size=60), st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@settings(deadline=None, max_examples=300)
def test_noise_is_a_value_error_or_a_valid_grid(noise: bytes, place: int, byte: int) -> None:
    damaged = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    for code in (noise, b"GC1" + noise, GOOD[:14] + noise, GOOD[:place], damaged):
        try:
            grid = SaliencyGrid.from_code(code)
        except ValueError:
            continue
        assert grid.levels.size == grid.rows * grid.columns
        assert 0 < grid.levels.max() <= 31
        assert min(grid.width, grid.height) >= 1


@given(
    st.integers(1, 6).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(0, 1000), min_size=columns, max_size=columns), min_size=1, max_size=6
        )
    ),
    st.sampled_from([1e-300, 1e-30, 1e-3, 1.0, 1e30]),
)
@settings(deadline=None, max_examples=100)
def test_levels_are_linear_in_the_density_and_rounded(values: list[list[int]], scale: float) -> None:
    values[0][0] += 1
    grid = SaliencyGrid.from_density(np.array(values) * scale, 8, 8)
    peak = max(map(max, values))
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            exact = Fraction(31 * value, peak)
            assert abs(int(grid.levels[row, column]) - exact) <= Fraction(1, 2) + Fraction(1, 10**9)
    assert grid.levels.max() == 31


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_the_smallest_and_the_largest_numbers_scale(kind: type[np.floating]) -> None:
    limits = np.finfo(kind)
    for peak in (limits.smallest_subnormal, limits.tiny, limits.max):
        grid = SaliencyGrid.from_density(np.array([[0, peak], [peak, 0]], kind), 4, 4)
        assert grid.levels.tolist() == [[0, 31], [31, 0]]


@pytest.mark.parametrize(
    "density",
    [
        *([[1.0, value]] for value in (np.nan, np.inf, -np.inf, -1e-9)),
        *([[value, value]] for value in (np.nan, np.inf, -np.inf, -1.0, 0.0)),
        np.zeros((0, 4)),
        np.zeros((4, 0)),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_an_invalid_density_is_a_value_error(density: object, kind: type[np.floating]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        SaliencyGrid.from_density(np.array(density, kind), 8, 8)


def test_symmetry_is_below_the_threshold() -> None:
    density: NDArray[np.float64] = np.array([[4.0, 2.0, 3.0], [1.0, 0.0, 1.0]])
    exact = (1 + 0 + 1) / (2 * 11)  # half the sum of differences over the sum
    assert asymmetry(density) == pytest.approx(exact)
    assert asymmetry(density * 1e-5) == pytest.approx(exact)
    assert asymmetry(density[:, ::-1]) == asymmetry(density)
    assert asymmetry(np.array([[1.0, 0.0]])) == 1
    assert SaliencyGrid.from_density(density, 8, 8, symmetry=exact * 1.01).symmetric
    assert not SaliencyGrid.from_density(density, 8, 8, symmetry=exact * 0.99).symmetric
    assert not SaliencyGrid.from_density(np.ones((2, 3)), 8, 8).symmetric  # without a threshold none is


def test_the_uniform_map_is_flat_and_symmetric() -> None:
    grid = SaliencyGrid.uniform(30, 40, 17, 9, rotated=True)
    assert (grid.flat, grid.symmetric, grid.rotated) == (True, True, True)
    assert (grid.rows, grid.columns, grid.width, grid.height) == (30, 40, 17, 9)
    assert same(grid, SaliencyGrid.from_code(grid.code))


@given(grids(cells=8))
@settings(deadline=None, max_examples=50)
def test_the_density_sums_to_one(grid: SaliencyGrid) -> None:
    density = grid.density()
    assert density.dtype == np.float64
    assert density.sum() == pytest.approx(1, abs=1e-12)
    assert np.allclose(density * grid.levels.sum(), grid.levels)
    assert grid.flat == (len(set(grid.levels.ravel().tolist())) == 1)


def test_levels_cannot_be_changed() -> None:
    for grid in (
        SaliencyGrid.from_code(GOOD),
        SaliencyGrid.uniform(2, 2, 4, 4),
        SaliencyGrid.from_density(np.eye(2), 4, 4),
    ):
        with pytest.raises(ValueError, match="read-only"):
            grid.levels[0, 0] = 5
