"""The short form of every row of `make faults`."""

from pathlib import Path

import pytest

from tests.faults import __main__  # registers the rows
from tests.faults.rows import FAULTS, ORDER, Trial, in_order

assert __main__


@pytest.mark.parametrize("name", [name for name, _ in in_order()])
def test_fault(name: str, tmp_path: Path) -> None:
    row = FAULTS[name](Trial(tmp_path, short=True))
    assert row.ok, f"{row.name}: {row.measured}; the bar: {row.bar}"


def test_rows_have_the_names_of_the_table() -> None:
    assert FAULTS.keys() <= set(ORDER)
