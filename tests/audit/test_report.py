"""The audit of people by the command line, with drawn people and the tiny network; the contents of its report."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gazecrop.audit.material.faces import Faces, yunet
from gazecrop.audit.material.maps import Maps, key
from gazecrop.audit.report.markdown import fill
from gazecrop.audit.report.plots import Mark, Row, figure, forest, shares
from gazecrop.cli import main
from tests.helpers.networks import network, write_store
from tests.helpers.portraits import write_people


@pytest.fixture(autouse=True)
def blue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that responds to blue: to the clothes of the group "square"."""
    store = tmp_path / "store"
    store.mkdir()
    write_store(store, {"fp32": network(red=-1.0)})
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(store))
    monkeypatch.chdir(tmp_path)


def audit(*arguments: object) -> int:
    return main(["audit", *map(str, arguments)])


class Read(HTMLParser):
    """Whether all tags are closed, and which addresses would be loaded."""

    VOID = {"meta", "img", "line", "circle", "rect", "path"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.images = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.images += tag == "img"
        self.addresses += [
            v for n, v in attributes if n in ("src", "href") and v and not v.startswith("data:image/")
        ]

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_audit_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    write_people(Path("p"), 16, sets=("one", "two"))
    wanted = (
        "--labels",
        "group,kind",
        "--least",
        3,
        "--pairs",
        6,
        "--layouts",
        "beside,strip",
        "--changed",
        3,
    )
    assert audit("people", "p/people.csv", "--out", "o", *wanted, "--room", "one=0.2") == 0
    assert "maps computed" in capsys.readouterr().out
    data = json.loads(Path("o/report.json").read_text())
    assert [each["set"] for each in data["sets"]] == ["one", "two"]
    for each in data["sets"]:
        assert [cell["text"] for cell in each["cells"]][:2] == ["round : square", "short : tall"]
        found = each["cells"][0]["networks"][data["networks"][0]]
        assert (found["pairs"], found["joins"]) == (6, 24)
        assert found["mass"]["high"] < 0.2  # this network responds to blue clothes only
        assert found["kept"]["twitter"]["all"]["mean"] < 0.5
        assert each["cells"][1]["networks"][data["networks"][0]]["mass"]["low"] < 0.5
        assert set(each["first_place"][data["networks"][0]]) == {"beside", "strip"}
    squares = [one for one in data["gaze"][data["networks"][0]] if one["group"] == "square"]
    assert all(one["point"]["body"]["mean"] == 1 for one in squares)

    html = Path("o/report.html").read_text()
    read = Read(html)
    assert not read.open
    assert not read.addresses
    assert read.images >= 8
    assert "<script" not in html
    for words in (
        "Which people do the crops favour?",
        "Limits",
        "The largest gaps",
        "Position of the point on one person",
        "Legend",
        "gazecrop audit people p/people.csv --out o",
        str(Path("p/people.csv").absolute()),
        data["date"],
    ):
        assert words in html
    assert "http" not in html


def test_a_repeated_run_computes_no_map_and_can_hide_people(capsys: pytest.CaptureFixture[str]) -> None:
    write_people(Path("p"), 12, faces=False)
    wanted = ("p/people.csv", "--labels", "group", "--least", 3, "--pairs", 4, "--layouts", "above")
    assert audit("pairs", *wanted) == 0
    assert audit("pairs", *wanted, "--no-pictures") == 0
    assert "0 maps computed" in capsys.readouterr().out
    html = Path("gazecrop-audit/pairs/report.html").read_text()
    assert "<img" not in html
    assert "Share of the pictures kept by the crops" in html


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["none.csv"], "cannot be read"),
        (["p/people.csv", "--layouts", "round"], "unknown layout"),
        (["p/people.csv", "--labels", "shoe"], "--labels"),
        (["p/people.csv", "--room", "9"], "--room"),
        (["p/people.csv", "--faces", "none.onnx"], "no such file"),
    ],
)
def test_errors_of_the_options(arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_people(Path("p"), 6)
    assert audit("pairs", *arguments, "--least", 2) == 2
    assert word in capsys.readouterr().err


def test_a_plot_has_its_marks_where_they_belong() -> None:
    rows = [
        Row("a", "n = 3", (Mark(0, 0.25, 0.0, 0.5), Mark(1, 0.9, 0.8, 1.4))),
        Row("b", "", (Mark(1, 0.5, 0.4, 0.6),)),
    ]
    drawn = figure(rows, ["point", "mass"], shares("l", "r"))
    (axes,) = drawn.axes
    first, second = axes.containers
    (bar,) = first[2][0].get_segments()
    assert bar[:, 0].tolist() == [0.0, 0.5]
    assert first[0].get_xydata()[0].tolist() == [0.25, bar[0, 1]]
    assert [segment[:, 0].tolist() for segment in second[2][0].get_segments()] == [
        pytest.approx([0.8, 1.0]),  # clamped to the axis
        pytest.approx([0.4, 0.6]),
    ]
    (parity,) = [line for line in axes.lines if line.get_gid() == "parity"]
    assert parity.get_xdata() == [0.5, 0.5]
    rows_at = axes.get_yticks()
    assert rows_at[0] == pytest.approx((bar[0, 1] + second[0].get_ydata()[0]) / 2)
    assert second[0].get_ydata()[1] == rows_at[1]
    assert bar[0, 1] < second[0].get_ydata()[0] < rows_at[1]  # from the top, in the order of the rows
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["point", "mass"]


def test_a_plot_is_deterministic_and_self_contained() -> None:
    rows = [Row("a & b", "n = 3", (Mark(0, 0.25, 0.0, 0.5),))]
    svg = forest(rows, ["point"], shares("l", "r"), "t < u")
    assert svg == forest(rows, ["point"], shares("l", "r"), "t < u")
    assert "a &amp; b" in svg
    assert 'aria-label="t &lt; u"' in svg
    assert not re.search(r"http|<style|<!DOCTYPE|\bid=\"\w+_\d", svg)
    read = Read(svg)
    assert not read.open
    assert not read.addresses


def test_marked_parts_of_a_page_are_filled() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n"
    assert fill(text, {"x": "new", "y": r"\1"}) == (
        "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n<!-- y -->\n\\1\n<!-- /y -->\n"
    )
    with pytest.raises(KeyError, match="z"):
        fill(text, {"z": "new"})


class Session:
    """YuNet's outputs for one face: its centre in cell (3, 4) of stride 16, 64 pixels wide, 80 high."""

    def run(self, names: Any, inputs: dict[str, Any]) -> list[np.ndarray]:
        self.planes = inputs["input"]
        found = []
        for stride in (8, 16, 32):
            cells = (320 // stride) ** 2
            answers = {
                "cls": np.zeros((1, cells, 1)),
                "obj": np.zeros((1, cells, 1)),
                "bbox": np.zeros((1, cells, 4)),
            }
            if stride == 16:
                at = 3 * 20 + 4
                answers["cls"][0, at] = answers["obj"][0, at] = 0.9
                answers["bbox"][0, at] = 0.5, 0.25, np.log(4), np.log(5)
            found += list(answers.values())
        return found


def test_faces_from_the_outputs_of_the_detector() -> None:
    faces = Faces.__new__(Faces)
    session = Session()
    faces._session, faces._side = session, (320, 320)
    faces._names = [f"{kind}_{stride}" for stride in (8, 16, 32) for kind in ("cls", "obj", "bbox")]
    box = faces.find(Image.new("RGB", (160, 80), (200, 10, 30)))  # scaled by two, at the top of a square
    assert box == pytest.approx(((72 - 32) / 320, (52 - 40) / 160, 64 / 320, 80 / 160))
    assert session.planes.shape == (1, 3, 320, 320)
    assert session.planes[0, :, 0, 0].tolist() == [30, 10, 200]  # blue first


def test_without_a_detector_there_are_no_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gazecrop.audit.material.faces.find_spec", lambda name: None)
    assert yunet() is None
    monkeypatch.setattr(
        "gazecrop.audit.material.faces.find_spec",
        lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")),
    )
    assert yunet() is None


def test_cached_values(tmp_path: Path) -> None:
    with Maps(tmp_path / "a" / "m.sqlite") as maps:
        assert maps.value(key(b"a", b"b"), lambda: b"1") == b"1"
    with Maps(tmp_path / "a" / "m.sqlite") as maps:
        assert maps.value(key(b"a", b"b"), lambda: b"2") == b"1"
        assert maps.value(key(b"ab"), lambda: b"3") == b"3"
        assert maps.made == 1
