"""The benchmark beside other croppers: how it counts, and that its chart is current."""

import json
from pathlib import Path

import numpy as np
import pytest

from docs.drawings import peers as chart
from model_store.recipe import data
from model_store.recipe.judge import bench_peers
from model_store.recipe.judge.bench_peers import cuts, ours, percent
from model_store.recipe.metrics import Box


def test_only_objects_that_fit_into_the_crop_can_be_cut() -> None:
    """A crop of columns 100 to 300 of 400: a face of 200 to 260 is whole, 280 to 320 cut; one of 100 % never fits."""
    box = {"1:1": Box(0, 400, 200, 100)}
    faces = np.array([[0.5, 0.2, 0.15, 0.3], [0.7, 0.2, 0.1, 0.1], [0, 0, 1, 1], [0.9, 0, 0.05, 0.1]])
    assert cuts([box], [faces]).tolist() == [[0.3, 0.0], [0.1, 1.0], [0.1, 0.0]]
    assert percent(cuts([box], [faces])[:, 1]) == 33.3 and percent(np.zeros(0)) is None


def test_our_own_box_is_the_librarys(picture: bytes) -> None:
    boxes = ours("centre")(picture, (640, 480))
    assert boxes["1:1"].offset == 80 and boxes["1:1"].length == 480


def test_the_chart_is_current() -> None:
    """python -m docs.drawings.peers"""
    assert chart.FILE.read_text(encoding="utf-8") == chart.draw()
    rows = json.loads(chart.DATA.read_text())["rows"]
    assert {
        "gazecrop, auto",
        "centre crop",
        "libvips attention",
        "thumbor",
        "smartcrop.js",
        "sharp attention",
    } <= rows.keys()


def test_what_is_missing_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_peers, "DATA", tmp_path)
    monkeypatch.setattr(data, "WORK", tmp_path / "work")
    for missing in ("objects.json.gz", "work"):
        with pytest.raises(SystemExit) as stop:
            bench_peers.main(bench_peers.Options())
        line = str(stop.value)
        assert missing in line and "-m model_store.recipe.data`" in line and "\n" not in line
        (tmp_path / "objects.json.gz").touch()
