"""The objects of a network with two outputs, from its file to every answer: HTTP, command line, library, JavaScript."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gazecrop.cli import main
from gazecrop.crop.answers import object_answer
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.ratios import parse_ratio
from gazecrop.python_api import analysis
from tests.conftest import Server
from tests.helpers.contract import client, place_of, until
from tests.helpers.javascript import javascript
from tests.helpers.networks import WITH_OBJECTS, network, picture_with_objects, write_store

# Cell (8, 29): exp(1.5) cells wide and high; cell (25, 10): exp(2) x 1. Both logits are 1.4.
FACE = Object.detected("face", 29.5 / 40 - 0.05602, 8.5 / 30 - 0.07469, 0.11204, 0.14939, 0.802)
LINE = Object.detected("text", 10.5 / 40 - 0.09236, 25.0 / 30, 0.18473, 1 / 30, 0.802)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(
        tmp_path_factory.mktemp("store"),
        {"fp32": network(objects=True)},
        symmetry_threshold=0,
        **WITH_OBJECTS,
    )


@pytest.mark.parametrize("batch", ["1", "4"])
def test_a_server_answers_with_objects(store: Path, batch: str, start_server: Callable[..., Server]) -> None:
    """In batches of one the decoder's thread runs the network, else the batcher's."""
    server = start_server(GAZECROP_MODEL_STORE=str(store), GAZECROP_MAX_BATCH=batch)
    started = "network warm (warm.fp32.onnx, density and objects) on CPUExecutionProvider"
    until(lambda: started in server.log.read_text())
    with client(server.url) as api:
        made = api.post("/v1/images?ratios=3:4&policy=balanced", content=picture_with_objects())
        document = made.json()
        grid = SaliencyGrid.from_text(document["saliency"]["encoded"])
        assert grid.objects == (FACE, LINE)
        assert document["objects"] == [object_answer(one, grid) for one in grid.objects]
        [crop] = document["crops"]
        assert crop["objects"] == {"whole": 1, "cut": [], "outside": 1}
        again = api.get(f"{place_of(made)}/crops/3:4?policy=window").json()
        cropper = Cropper(grid)
        assert again["box"] == cropper.crop(parse_ratio("3:4"), Options("window")).box._asdict()
        flat = BytesIO()
        Image.new("RGB", (320, 240), (250, 120, 10)).save(flat, "PNG")
        assert "objects" not in api.post("/v1/images", content=flat.getvalue()).json()
    with javascript("gazecrop") as run:
        code = """(text) => {
            const grid = module.decode(text), crop = module.crop(grid, "3:4", {policy: "balanced"});
            return {box: crop.box, objects: grid.objects.map(({kind, box, score}) => ({kind, box, score}))};
        }"""
        assert run(code, document["saliency"]["encoded"]) == {
            "box": crop["box"],
            "objects": document["objects"],
        }


@pytest.fixture
def chosen(store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with two pictures, and the network for the commands and the library."""
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(store))
    monkeypatch.setenv("GAZECROP_DEVICE", "cpu")
    (tmp_path / "a.png").write_bytes(picture_with_objects())
    (tmp_path / "b.png").write_bytes(picture_with_objects(mirrored=True))
    analysis._network.cache_clear()
    return tmp_path


def test_the_commands_and_the_library_have_them(chosen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected: list[dict[str, Any]] = [
        object_answer(one, SaliencyGrid.uniform(1, 1, 320, 240)) for one in (FACE, LINE)
    ]
    assert main(["crop", str(chosen / "a.png"), "--ratios", "1:1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["objects"] == expected
    assert main(["batch", "--ratios", "1:1", str(chosen), str(chosen / "out")]) == 0
    rows = [json.loads(line) for line in (chosen / "out" / "part-00000.jsonl").read_text().splitlines()]
    assert {row["file"]: len(row["objects"]) for row in rows} == {"a.png": 2, "b.png": 2}
    assert [row["objects"] for row in rows if row["file"] == "a.png"] == [expected]
    try:
        picture = analysis.look(chosen / "a.png")
        assert picture.objects == (FACE, LINE)
        with Image.open(chosen / "a.png") as image:
            assert analysis.look(image).objects == (FACE, LINE)
    finally:
        analysis._network.cache_clear()


def test_the_audit_moves_them_with_the_picture(chosen: Path) -> None:
    from gazecrop.audit.material.transforms import TRANSFORMS

    plain, changed = (
        SaliencyGrid.from_density(np.ones((30, 40)), 320, 240, objects=objects)
        for objects in (
            (FACE,),
            (Object("face", 255 - FACE.right, FACE.top, 255 - FACE.left, FACE.bottom, FACE.score),),
        )
    )
    back = TRANSFORMS["mirrored"].on_original(changed, 320, 240)
    assert back.objects == plain.objects
    bordered = TRANSFORMS["white padding"].on_original(plain, 320, 240).objects
    assert bordered[0].left == round(1.2 * FACE.left - 25.5) and bordered[0].bottom == round(
        1.2 * FACE.bottom - 25.5
    )
    outside = SaliencyGrid.from_density(
        np.ones((30, 40)), 320, 240, objects=(Object("text", 0, 0, 20, 255, 99),)
    )
    assert TRANSFORMS["white padding"].on_original(outside, 320, 240).objects == ()
