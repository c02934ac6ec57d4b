"""The mixed load of an hour, for half a minute."""

import pytest

from tests.faults.mixed import FAULTS, mixed


@pytest.mark.long
def test_every_answer_is_expected_and_nothing_is_lost() -> None:
    ok, lines = mixed(0.6, apart=3.0, pause=0.02)
    assert ok, lines
    assert all(fault.__name__ in lines[1] for fault in FAULTS), lines
