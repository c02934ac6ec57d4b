"""The card fills every marked part of AUDIT.md and nothing else."""

import re
import shutil
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
from tests.helpers.networks import WITH_OBJECTS, network, write_store
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
    assert fill(page, parts | {"detection": ""}).count("asian : black") == 3
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
    assert len(marks) == len(set(marks)) == 16
    assert set(marks) == card_sections.ALL


def test_a_flat_network_has_no_significant_gap(tmp_path: Path) -> None:
    people = readable(read_people(write_people(tmp_path, 12)))[0]
    people = [replace(p, labels={"gender": NAMES[p.labels["group"]]}) for p in people]
    options = Namespace(least=4, arranged=2, others=2, alike=2, beside=None)
    with Maps() as maps:
        parts, _ = card_sections.pair_sections(
            options, people, Context(from_function("even", even), maps), PairOptions(count=20)
        )
    assert "in 1 comparisons, never by more than chance" in parts["short"]


def test_only_the_wanted_studies_are_made(tmp_path: Path) -> None:
    people = readable(read_people(write_people(tmp_path, 12)))[0]
    people = [replace(p, labels={"gender": NAMES[p.labels["group"]]}) for p in people]
    options = Namespace(least=4, arranged=2, others=2, alike=2, beside=None)
    with Maps() as maps:
        context = Context(from_function("even", even), maps)
        parts, outcomes = card_sections.pair_sections(
            options, people, context, PairOptions(count=4), frozenset({"crops"})
        )
        assert maps.made == 2 * 4
        assert card_sections.pair_sections(
            options, people, context, PairOptions(count=4), frozenset({"detection", "gaze"})
        ) == ({}, [])
        assert maps.made == 2 * 4
    assert list(parts) == ["crops"]
    assert [len(outcome.pairs) for outcome in outcomes] == [4]


@pytest.mark.parametrize("objects", [True, False])
def test_the_card_of_a_network_with_and_without_objects(
    objects: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--sections` leaves every other section as it is, and so is the section `detection` without objects."""
    monkeypatch.setattr("gazecrop.audit.material.faces.find_spec", lambda name: None)
    store, page = tmp_path / "store", tmp_path / "AUDIT.md"
    store.mkdir()
    fields = WITH_OBJECTS if objects else {}
    write_store(store, {"fp32": network(objects=objects)}, **fields)
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(store))
    table = write_people(tmp_path / "p", 8)
    text = table.read_text().replace("group,kind", "gender,group", 1)
    for drawn, name in NAMES.items():
        text = text.replace(f",{drawn}", f",{name}")
    table.write_text(text)
    shutil.copy(card.README, page)
    before = page.read_text(encoding="utf-8")
    folder, least = str(tmp_path / "o"), ["--least", "2", "--no-pictures"]
    card.main([str(table), "--out", folder, "--readme", str(page), "--sections", "detection", *least])
    after = page.read_text(encoding="utf-8")
    if objects:
        assert after == fill(
            before,
            {
                "detection": MARKED.split(after)[MARKED.split(after).index("detection") + 1].partition(
                    "\n<!-- /detection"
                )[0]
            },
        )
        assert "| female : male |" in after
        assert "The bar is 2 points." in after
        assert "found at IoU 0.5, %" in after
    else:
        assert after == before
        assert "warm fp32 has no objects" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        card.main([str(table), "--sections", "detections"])
    assert "the sections are alike, causes" in capsys.readouterr().err
