"""stability, compare, lock and check by the command line, with the tiny network of tests/helpers/networks.py."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gazecrop.audit.material.transforms import TRANSFORMS
from gazecrop.cli import main
from gazecrop.picture.decode import Limits, decode
from tests.helpers.networks import network, write_store
from tests.helpers.pictures import draw


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures, each with a warm disc at another position."""
    inside = tmp_path / "pictures"
    inside.mkdir()
    for number in range(6):
        draw(320, 240, (0.15 + 0.14 * number, 0.3 + 0.08 * number), seed=number).save(
            inside / f"{number}.png"
        )
    return inside


@pytest.fixture(autouse=True)
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks: `warm` responds to red, `cold` to blue."""
    store = tmp_path / "store"
    store.mkdir()
    write_store(store)
    manifest = json.loads((store / "manifest.json").read_text())
    (store / "other").mkdir()
    write_store(store / "other", {"fp32": network(red=-1.0)})
    entry = json.loads((store / "other" / "manifest.json").read_text())["networks"]["warm"]
    entry["files"]["fp32"]["file"] = "other/warm.fp32.onnx"
    manifest["networks"]["cold"] = entry
    (store / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(store))
    monkeypatch.chdir(tmp_path)


def audit(*arguments: object) -> int:
    return main(["audit", *map(str, arguments)])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transformation_changes_the_file_and_hardly_the_picture(name: str) -> None:
    picture = draw(160, 120)
    data = TRANSFORMS[name].change(picture)
    seen = decode(data, Limits(), [(120, 160)])
    upright = np.asarray(picture.resize((160, 120)), dtype=float)
    mirrored = name == "mirrored"
    if "white" not in name and "grey" not in name:
        assert (seen.width / seen.height) == pytest.approx(160 / 120)
        pixels = seen.pixels[:, ::-1] if mirrored else seen.pixels
        assert np.abs(pixels - upright).mean() < 8
    even = np.full((30, 40), 1 / 1200)
    back = TRANSFORMS[name].back(even)
    assert back.shape == even.shape
    np.testing.assert_allclose(back / back.sum(), even)


def test_the_inverse_of_a_transformation() -> None:
    density = np.zeros((30, 40))
    density[3, 5] = 1
    assert TRANSFORMS["mirrored"].back(density)[3, 34] == 1
    # A border of a tenth on each side: the picture is the cells from 2.5 to 27.5 and from 3.33 to 36.67.
    back = TRANSFORMS["white padding"].back(density)
    assert back.sum() == pytest.approx(1)
    y, x = (float((back.sum(axis=axis) * (np.arange(back.shape[1 - axis]) + 0.5)).sum()) for axis in (1, 0))
    assert (y, x) == pytest.approx(
        ((3.5 - 2.5) * 1.2, (5.5 - 40 / 12) * 1.2), abs=0.1
    )  # cells are even within
    density[3, 5], density[0, 20] = 0, 1  # on the border, outside the picture
    assert TRANSFORMS["grey border"].back(density).sum() == 0


def test_a_stable_network_has_stable_crops(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("stability", folder, "--out", "o", "--ratios", "1:1,9:16") == 0
    rows = {row["name"]: row for row in json.loads(Path("o/report.json").read_text())["rows"]}
    assert set(rows) == set(TRANSFORMS)
    for name, row in rows.items():
        assert row["crops"] == 12
        assert row["moved"] <= ("border" in name or "padding" in name) / 12, (
            name
        )  # a disc then has fewer cells
    assert "half size" in capsys.readouterr().out
    html = Path("o/report.html").read_text()
    assert "How stable are the crops?" in html
    assert "http" not in html


def test_a_planted_move_is_found_with_its_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a transformation that shifts the picture by a quarter of its width."""
    from gazecrop.audit.material import transforms
    from gazecrop.audit.studies import stability

    shifted = transforms.Transform(
        "shifted by a quarter",
        lambda image: transforms.saved(Image.fromarray(np.roll(np.asarray(image), 80, axis=1))),
    )
    monkeypatch.setattr(stability, "TRANSFORMS", {shifted.name: shifted})
    draw(320, 240, (0.3, 0.5), seed=3).save(folder / "0.png")
    for number in range(1, 6):
        (folder / f"{number}.png").unlink()
    assert audit("stability", folder, "--out", "o", "--ratios", "9:16") == 0
    (row,) = json.loads(Path("o/report.json").read_text())["rows"]
    assert row["moved"] == 1
    assert row["farthest"] == pytest.approx(0.25, abs=0.02)
    assert "data:image/jpeg" in Path("o/report.html").read_text()


def test_compare_networks_and_policies(folder: Path) -> None:
    assert audit("compare", folder, "--models", "warm", "warm", "--out", "same", "--ratios", "1:1") == 0
    (everything, _) = json.loads(Path("same/report.json").read_text())["rows"]
    assert (everything["crops"], everything["moved"], everything["farthest"]) == (6, 0, 0)
    assert audit("compare", folder, "--models", "warm", "cold", "--out", "other", "--ratios", "9:16,1:1") == 0
    rows = json.loads(Path("other/report.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["all ratios", "9:16", "1:1"]
    assert rows[1]["moved"] > 0.5
    assert audit("compare", folder, "--policies", "window", "centre", "--out", "p", "--ratios", "9:16") == 0
    assert json.loads(Path("p/report.json").read_text())["rows"][0]["moved"] >= 4 / 6


def test_lock_and_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("lock", folder, "--ratios", "1:1,9:16") == 0
    lines = Path("gazecrop.lock.json").read_text().splitlines()
    assert len(lines) == 6 + 2  # one picture on a line
    assert audit("check", folder) == 0
    assert "12 crops" in capsys.readouterr().out

    draw(320, 240, (0.85, 0.5), seed=0).save(folder / "0.png")  # was at 0.15
    assert audit("check", folder) == 1
    assert "0.png 9:16: moved by" in capsys.readouterr().out
    assert audit("check", folder, "--allow", "20") == 0
    assert audit("check", folder, "--tolerance", "80") == 0


def test_missing_and_resized_pictures_fail_the_check(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("lock", folder, "--ratios", "1:1") == 0
    draw(320, 240).save(folder / "new.png")
    assert audit("check", folder) == 0
    assert "1 pictures are not locked" in capsys.readouterr().out
    (folder / "1.png").unlink()
    assert audit("check", folder) == 1
    assert "1.png: missing" in capsys.readouterr().out
    draw(320, 240).save(folder / "1.png")
    draw(300, 240).save(folder / "2.png")
    assert audit("check", folder) == 1
    assert "2.png: of another size" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "{}", '{"format": 2}', '{"format": 1, "ratios": ["1:1"], "pictures": {"a": 3}}']
)
def test_invalid_lock_files(folder: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("gazecrop.lock.json").write_text(text)
    assert audit("check", folder) == 2
    assert "not a lock file" in capsys.readouterr().err


def test_there_is_no_lock_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("check", folder) == 2
    message = "gazecrop audit: No lock file at gazecrop.lock.json: run `gazecrop audit lock` first.\n"
    assert capsys.readouterr().err == message


def test_a_check_of_a_wrong_folder_reports_that_nothing_matched(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("lock", folder, "--ratios", "1:1") == 0
    (tmp_path / "wrong").mkdir()
    draw(320, 240).save(tmp_path / "wrong" / "other.png")
    capsys.readouterr()
    assert audit("check", "wrong") == 1
    output = capsys.readouterr()
    assert "nothing matched: none of the 6 pictures in gazecrop.lock.json is in wrong" in output.err
    assert not output.out


def test_a_folder_without_a_readable_picture_is_not_locked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"not a picture")
    assert audit("lock", "broken") == 2
    assert "no readable picture" in capsys.readouterr().err
    assert not Path("gazecrop.lock.json").exists()


def test_the_policy_focus_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, option in (
        (("stability", folder, "--policy", "focus"), "--policy"),
        (("lock", folder, "--policy", "focus"), "--policy"),
        (("compare", folder, "--policies", "window", "focus"), "--policies"),
    ):
        assert audit(*arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"gazecrop audit {arguments[0]}: {option}: focus needs a person's point")
        assert error.count("\n") == 1
    assert not Path("gazecrop-audit").exists()
    assert not Path("gazecrop.lock.json").exists()


def test_a_comparison_of_equal_sides_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = "Both sides are warm fp32, policy window: no crop can move."
    for arguments in ((), ("--models", "warm", "warm")):
        assert audit("compare", folder, "--ratios", "1:1", *arguments) == 0
        assert sentence in capsys.readouterr().err
        assert sentence in Path("gazecrop-audit/compare/report.html").read_text()
    for arguments in (("--models", "warm", "cold"), ("--policies", "window", "point")):
        assert audit("compare", folder, "--ratios", "1:1", *arguments) == 0
        assert "Both sides" not in capsys.readouterr().err
        assert "Both sides" not in Path("gazecrop-audit/compare/report.html").read_text()


def test_a_name_that_is_not_utf_8_is_in_the_report(folder: Path) -> None:
    (folder / "0.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    both = ("--policies", "window", "centre")
    assert audit("compare", folder, *both, "--out", "study", "--ratios", "9:16") == 0
    for name in ("report.json", "report.html"):
        assert "caf\ufffd.png" in (Path("study") / name).read_text(encoding="utf-8"), name


def test_each_study_has_its_own_folder_and_its_origin(folder: Path) -> None:
    assert audit("stability", folder, "--ratios", "1:1") == 0
    before = Path("gazecrop-audit/stability/report.json").read_bytes()
    assert audit("compare", folder, "--ratios", "1:1", "--policies", "window", "point") == 0
    assert Path("gazecrop-audit/stability/report.json").read_bytes() == before
    for study in ("stability", "compare"):
        data = json.loads(Path("gazecrop-audit", study, "report.json").read_text())
        html = Path("gazecrop-audit", study, "report.html").read_text()
        assert data["command"].startswith(f"gazecrop audit {study} {folder} --ratios 1:1")
        assert data["source"] == str(folder)
        assert abs(datetime.fromisoformat(data["date"]) - datetime.now(UTC)) < timedelta(minutes=5)
        assert data["networks"] == ["warm fp32"]
        for text in (
            data["command"],
            data["source"],
            data["date"],
            "Legend",
            "Percent of the crops whose centre moved",
        ):
            assert text in html, text


def test_unknown_commands_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("dance") == 2
    assert audit() == 0
    assert "fetch-wikicelb" in capsys.readouterr().out
