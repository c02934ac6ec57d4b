"""The card fills every marked part of AUDIT.md and nothing else."""

import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from gazecrop.audit.commands import card, card_sections
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people, readable
from gazecrop.audit.material.saliency_models import from_function
from gazecrop.audit.report.markdown import fill
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.pairs import PairOptions
from gazecrop.cli import main
from gazecrop.console.sources import pictures_of
from tests.helpers.portraits import even, towards_blue, write_people

MARKED = re.compile(r"<!-- (\w+) -->\n")
NAMES = {"round": "female", "square": "male", "tall": "black", "short": "asian"}


def test_pairs_of_the_paper_and_others(tmp_path: Path) -> None:
    """The paper's comparisons are in the first tables, the others in their own; the report has all of them."""
    drawn = readable(read_people(write_people(tmp_path, 16)))[0]
    people = [
        replace(p, labels={"gender": NAMES[p.labels["group"]], "group": NAMES[p.labels["kind"]]})
        for p in drawn
    ]
    options = Namespace(least=4, arranged=4, others=5, alike=4, beside=None)
    with Maps() as maps:
        model = from_function("planted", towards_blue)
        parts, outcomes = card_sections.pair_sections(
            options, people, Context(model, maps), PairOptions(count=6)
        )
    assert [outcome.cell.text for outcome in outcomes] == [
        "female : male",
        "female : male (black)",
        "asian : black",
        "female : male (asian)",
        "asian : black (female)",
        "asian : black (male)",
    ]
    assert {len(outcome.pairs) for outcome in outcomes[:2]} == {6}
    assert {len(outcome.pairs) for outcome in outcomes[2:]} == {5}
    assert parts["pairs"].count("\n") == 1 + 2
    assert parts["others"].count("\n") == 1 + 4
    assert "above-as-is" in parts["layouts"]
    assert parts["places"].count("\n") == 1 + 1 + len(card_sections.LAYOUTS)
    assert "compared" not in parts
    page = card.README.read_text(encoding="utf-8")
    assert fill(page, parts).count("asian : black") == 3
    for name, text in parts.items():
        if text.startswith("|"):  # the page has the tables that the command writes
            assert f"<!-- {name} -->\n{text.splitlines()[0]}\n" in page


def test_both_networks_get_the_same_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many pairs as the second network finished within its time limit."""
    drawn = readable(read_people(write_people(tmp_path, 12)))[0]
    people = [replace(p, labels={"gender": NAMES[p.labels["group"]]}) for p in drawn]
    second = from_function("second", towards_blue)
    monkeypatch.setattr(card_sections, "from_onnx", lambda path, side: second)
    options = Namespace(least=4, arranged=2, others=2, alike=2, compared=3, compare_minutes=1.0)
    options.beside, options.long_side = Path("second.onnx"), 800
    with Maps() as maps:
        model = from_function("ours", even)
        parts, _ = card_sections.pair_sections(options, people, Context(model, maps), PairOptions(count=8))
        rows = parts["compared"].splitlines()[2:]
        options.compare_minutes = 0
        assert (
            "compared"
            not in card_sections.pair_sections(options, people, Context(model, maps), PairOptions(count=8))[0]
        )
    assert [row.split(" | ")[1:3] for row in rows] == [["second", "3"], ["ours", "3"]]


def test_photographs_and_the_previous_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_people(tmp_path / "p", 3)
    source, lock = str(tmp_path / "p" / "*.png"), tmp_path / "lock.json"
    assert main(["audit", "lock", source, "--lock", str(lock)]) == 0
    with Maps() as maps:
        parts = card_sections.photograph_sections(pictures_of(source), Namespace(lock=lock), maps)
    assert "| half size | 12 |" in parts["stability"]
    assert re.search(r"\| from gaze-\S+ before to this network \| 12 \| 0.0 \|", parts["switches"])
    assert "from fp32 to int8" in parts["switches"]


def test_the_page_has_all_marks() -> None:
    marks = MARKED.findall(card.README.read_text(encoding="utf-8"))
    assert len(marks) == len(set(marks)) == 15


def test_a_flat_network_has_no_significant_gap(tmp_path: Path) -> None:
    people = readable(read_people(write_people(tmp_path, 12)))[0]
    people = [replace(p, labels={"gender": NAMES[p.labels["group"]]}) for p in people]
    options = Namespace(least=4, arranged=2, others=2, alike=2, beside=None)
    with Maps() as maps:
        parts, _ = card_sections.pair_sections(
            options, people, Context(from_function("even", even), maps), PairOptions(count=20)
        )
    assert "in 1 comparisons, never by more than chance" in parts["short"]
