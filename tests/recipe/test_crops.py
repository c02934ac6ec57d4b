"""All kinds of croppers give boxes in one format: recipe/crops.py, judge/peers.py, judge/kept.py. No torch."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_store.recipe import crops, data, metrics
from model_store.recipe.crops import Judged, function_boxes, served_boxes
from model_store.recipe.data import Pictures
from model_store.recipe.judge import kept, peers
from model_store.recipe.metrics import RATIOS, Box
from tests.helpers.pictures import encode
from tests.helpers.samples import exif, scene

SIZE = (400, 301)
PICTURE = np.zeros((151, 200, 3), np.uint8)  # the file is half as large as the picture that the observers saw


def offsets(function: crops.Function, picture: np.ndarray = PICTURE) -> dict[str, int]:
    return {name: box.offset for name, box in function_boxes(function, picture, SIZE).items()}


def centres(size: tuple[int, int] = SIZE) -> dict[str, Box]:
    return {name: metrics.centre_crop(*size, RATIOS[name]) for name in metrics.judged_ratios(*size)}


def test_the_centre_crop_of_another_size_is_the_centre_crop() -> None:
    assert function_boxes(peers.centre_crop(), PICTURE, SIZE) == centres()


def test_boxes_are_scaled_to_the_observers_frame() -> None:
    def right(picture: np.ndarray, ratio: float) -> tuple[float, float, float, float]:
        height, width = picture.shape[:2]
        w, h = metrics.crop_size(width, height, ratio)
        return width - w, height - h, w, h

    for name, box in function_boxes(right, PICTURE, SIZE).items():
        assert box.offset == pytest.approx(box.side - box.length, abs=1), name


def test_a_smaller_box_is_replaced_by_the_largest_one_with_the_same_middle() -> None:
    found = offsets(lambda picture, ratio: (110, 60, 20, 20))  # its middle: 0.6 of the width
    assert found["1:1"] == 240 - 150 - 1  # 301 px wide around 240, half a pixel to the left
    assert found["3:1"] == round(301 * 70 / 151 - 133 / 2)
    assert offsets(lambda picture, ratio: (199, 150, 1, 1))["1:1"] == 400 - 301  # stays inside


def test_served_boxes_contain_the_largest_share_of_a_map() -> None:
    across = np.exp(-0.5 * ((np.arange(40) - 30) / 3) ** 2)
    m = np.outer(np.exp(-0.5 * ((np.arange(30) - 8) / 3) ** 2), across)
    for name, box in served_boxes(m, SIZE).items():
        best = metrics.window_crop(m, *SIZE, RATIOS[name])
        assert (box.axis, box.length) == (best.axis, best.length)
        assert held(m, box) == pytest.approx(held(m, best), abs=0.005), (
            name
        )  # 32 levels round thin tails to 0


def held(m: np.ndarray, box: Box) -> float:
    sums = np.concatenate([[0], np.cumsum(m.sum(box.axis))]) / m.sum()
    edges = np.linspace(0, box.side, len(sums))
    first, last = np.interp([box.offset, box.offset + box.length], edges, sums)
    return float(last - first)


def test_served_boxes_skip_the_pictures_own_ratio() -> None:
    assert "1:1" not in served_boxes(np.ones((30, 40)), (300, 303))


def test_a_face_crop_is_centred_on_the_largest_face_or_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (0.7, 0.1, 0.1, 0.2),
        (0.1, 0.5, 0.05, 0.1),
    ]  # the highest score first, which is also the larger face
    monkeypatch.setattr(peers, "yunet", lambda: lambda image: found)
    x, _, w, _ = peers.faces(every=False)(PICTURE, 1.0)
    assert x + w / 2 == pytest.approx(0.75 * 200)
    x, _, w, _ = peers.faces(every=True)(PICTURE, 1.0)
    assert x + w / 2 == pytest.approx((0.1 + 0.8) / 2 * 200)
    found.clear()
    assert offsets(peers.faces(every=True), PICTURE + 1) == {k: b.offset for k, b in centres().items()}


def test_a_cropper_that_is_not_installed_is_left_out_with_a_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> crops.Function:
        raise ImportError("No module named 'elsewhere'")

    monkeypatch.setattr(peers, "CROPPERS", {"here": peers.centre_crop, "elsewhere": missing})
    assert set(peers.installed(["here", "elsewhere"])) == {"here"}
    assert "elsewhere is left out: No module named" in capsys.readouterr().out


def test_boxes_of_a_cropper_are_computed_once_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "picture.png"
    Image.fromarray(PICTURE).save(file)
    about = [{"key": "a", "width": SIZE[0], "height": SIZE[1], "dataset": "osie"}]
    judged = Judged(Pictures("gaze", tmp_path, about, np.zeros(0), [np.zeros((1, 3))]), np.array([0]))
    monkeypatch.setattr(Judged, "files", lambda self: [file.read_bytes()])
    calls = []

    def counting() -> crops.Function:
        calls.append(1)
        return peers.centre_crop()

    monkeypatch.setattr(peers, "CROPPERS", {"counting": counting})
    monkeypatch.setattr(kept, "CROPPERS", peers.CROPPERS)
    for _ in range(2):
        kept.ask(judged, tmp_path, moves=1)
    ((name, boxes, more),) = kept.answers(judged, tmp_path)
    assert (name, boxes, len(calls)) == ("counting", [centres()], 1)
    assert more["moved"] == {"half": 0, "q60": 0, "mirror": 0, "cmyk": 0}


def test_maps_of_other_sizes_are_interpolated_to_the_grid() -> None:
    same = np.random.default_rng(0).random(data.GRID).astype(np.float32)
    narrow = np.zeros((30, 20), np.float32)
    narrow[:, :10] = 1  # the left half
    found = crops.on_grid([same, narrow])
    assert found.shape == (2, *data.GRID) and found.sum((1, 2)) == pytest.approx([1, 1], rel=1e-5)
    assert found[0] == pytest.approx(same / same.sum(), rel=1e-5)
    assert found[1, :, :20].sum() == pytest.approx(1, abs=0.03)


def test_pictures_of_the_training_are_stretched_without_bars() -> None:
    """Also tall ones, which the service gives bars; decoded and turned as it does."""
    tall = scene(300, 900)
    stretched = np.asarray(tall.resize((320, 240), Image.Resampling.BILINEAR, reducing_gap=2.0))
    assert np.array_equal(data.picture(encode(tall, "PNG")), stretched)
    turned = encode(tall.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif(6))
    assert np.abs(data.picture(turned).astype(int) - stretched).max() <= 1
