import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gazecrop import model as module
from gazecrop.crop.confidence import Calibration
from gazecrop.crop.objects import Object
from gazecrop.model import DISC, STORE, Model, ModelError, Outputs, Pixels, calibration_of, self_test_picture
from gazecrop.settings import Settings
from tests.helpers.networks import GRID, SHAPE, WITH_OBJECTS, network, write_store

CALIBRATION = {"weights": [1.0, 2.0, 3.0, 4.0], "intercept": 0.5}


def settings(store: Path | None = None, **values: Any) -> Settings:
    return Settings(**{"device": "cpu", "precision": "fp32", "model_store": store} | values)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store"), calibration=CALIBRATION)


@pytest.fixture(scope="module")
def warm(store: Path) -> Model:
    return Model.load(settings(store))


def test_its_attributes_are_those_of_the_manifest(warm: Model, store: Path) -> None:
    manifest = json.loads((store / "manifest.json").read_text())
    assert (warm.name, warm.file, warm.precision) == ("warm", "warm.fp32.onnx", "fp32")
    assert warm.sha256 == manifest["networks"]["warm"]["files"]["fp32"]["sha256"]
    assert (warm.shapes, warm.grids, warm.grid_of((*SHAPE, 3))) == ((SHAPE,), (GRID,), GRID)
    assert (warm.symmetry_threshold, warm.calibration) == (0.1, Calibration.from_manifest(CALIBRATION))
    assert calibration_of(settings(store)) == warm.calibration
    assert (warm.provider, warm.max_batch) == ("CPUExecutionProvider", 1)


def test_gives_a_density_for_every_picture_of_a_batch(warm: Model) -> None:
    pictures = [
        self_test_picture(*SHAPE),
        self_test_picture(*SHAPE)[:, ::-1],
        np.zeros((*SHAPE, 3), np.uint8),
    ]
    maps = np.stack([each.density for each in warm.infer(pictures)])
    assert maps.shape == (3, *GRID) and maps.dtype == np.float32
    np.testing.assert_allclose(maps.sum((1, 2)), 1, atol=1e-4)
    np.testing.assert_array_equal(maps[0], warm.run(pictures[0][None]).density[0])
    np.testing.assert_array_equal(maps[0], warm.infer(pictures[:1])[0].density)
    np.testing.assert_allclose(maps[1], maps[0][:, ::-1], atol=1e-6)
    np.testing.assert_allclose(maps[2], 1 / 1200, rtol=1e-4)


def test_several_threads_may_run_it_at_once(warm: Model) -> None:
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 256, (16, 1, *SHAPE, 3), dtype=np.uint8)
    alone = [warm.run(picture).density for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        together = [outputs.density for outputs in threads.map(warm.run, pictures)]
    np.testing.assert_array_equal(alone, together)


def test_the_self_test_runs_for_every_batch_size(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = Model.load(settings(store, max_batch=8))
    sizes = list[int]()
    run = loaded.run

    def counted(batch: Pixels) -> Outputs:
        sizes.append(len(batch))
        return run(batch)

    monkeypatch.setattr(loaded, "run", counted)
    loaded.warm()
    assert sizes == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])],
)
def test_batches_of_every_size_run_as_a_size_that_was_warmed(
    most: int, expected: list[int], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Model.load(settings(store, max_batch=most))
    sizes = list[int]()
    run = loaded.run

    def counted(batch: Pixels) -> Outputs:
        sizes.append(len(batch))
        return run(batch)

    monkeypatch.setattr(loaded, "run", counted)
    loaded.warm()
    assert sizes == expected
    chance = np.random.default_rng(0)
    for count in range(1, most + 1):
        pictures = list(chance.integers(0, 256, (count, *SHAPE, 3), dtype=np.uint8))
        together = loaded.infer(pictures)
        assert sizes[-1] in expected and sizes[-1] < 2 * count
        alone = [run(picture[None]).density[0] for picture in pictures]
        np.testing.assert_array_equal([each.density for each in together], alone)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"red": -1.0}, "self-test failed .* The maximum is at"),
        ({"normalised": False}, "is not a density"),
        ({"floor": math.nan}, "is not a density"),
        ({"floor": -0.5}, "is not a density"),
    ],
)
def test_a_network_that_answers_wrongly_does_not_pass(
    wrong: dict[str, Any], words: str, tmp_path: Path
) -> None:
    loaded = Model.load(settings(write_store(tmp_path, {"fp32": network(**wrong)})))
    with pytest.raises(ModelError, match=words):
        loaded.warm()


def test_a_grid_that_is_not_the_manifests_does_not_pass(tmp_path: Path) -> None:
    loaded = Model.load(settings(write_store(tmp_path, grids=[(15, 20)])))
    with pytest.raises(ModelError, match="manifest requires"):
        loaded.warm()


def red_and_blue() -> Pixels:
    """Grey, with a red square of 4x4 cells at (0.3, 0.35) as in the self-test, and a blue cell below."""
    picture = np.full((*SHAPE, 3), 128, np.uint8)
    picture[72:104, 80:112] = (250, 120, 10)
    picture[200:208, 160:168] = (10, 120, 250)
    return picture


@pytest.mark.parametrize("most", [1, 4])
def test_a_network_with_objects_gives_them_for_every_picture_of_a_batch(most: int, tmp_path: Path) -> None:
    store = write_store(tmp_path, {"fp32": network(objects=True)}, **WITH_OBJECTS)
    loaded = Model.load(settings(store, max_batch=most))
    loaded.warm()
    assert loaded.outputs == ("density", "objects")
    both, plain = red_and_blue(), np.full((*SHAPE, 3), 128, np.uint8)
    found = [each for picture in (both, plain) for each in loaded.infer([picture])]
    assert not found[1].objects
    [line] = [one for one in found[0].objects if one.kind == "text"]
    # Cell (25, 20): exp(2) / 40 wide about 20.5 / 40, 1 / 30 high about 25.5 / 30; the sigmoid of 1.4 is 0.802.
    assert line == Object("text", 107, 212, 155, 221, 102)
    faces = [one for one in found[0].objects if one.kind == "face"]
    assert faces and all(
        one.left < 0.3 * 255 < one.right or one.top < 0.35 * 255 < one.bottom for one in faces
    )
    assert all(one.score > 64 for one in found[0].objects)
    if most > 1:
        together = loaded.infer([both, plain, both])
        assert [each.objects for each in together] == [found[0].objects, (), found[0].objects]


def test_without_the_output_in_the_manifest_there_are_no_objects(tmp_path: Path) -> None:
    loaded = Model.load(settings(write_store(tmp_path, {"fp32": network(objects=True)})))
    loaded.warm()
    assert loaded.outputs == ("density",) and loaded.run(red_and_blue()[None]).objects is None
    assert loaded.infer([red_and_blue()])[0].objects == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"channels": 9}, r"`objects` has the shape \(1, 9, 30, 40\), not \(1, 10, 30, 40\)"),
        ({"wide": math.nan}, "`objects` is not finite"),
        ({"wide": math.inf}, "`objects` is not finite"),
    ],
)
def test_a_wrong_output_of_objects_does_not_pass(wrong: dict[str, Any], words: str, tmp_path: Path) -> None:
    store = write_store(tmp_path, {"fp32": network(objects=True, **wrong)}, **WITH_OBJECTS)
    with pytest.raises(ModelError, match=words):
        Model.load(settings(store)).warm()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (WITH_OBJECTS, "there is no output objects in the file"),
        ({"outputs": ["density", "objects"]}, "incomplete or wrong: KeyError"),
        ({"outputs": ["objects"]}, "`outputs` must be"),
        ({"outputs": "density"}, "`outputs` must be"),
        (
            WITH_OBJECTS | {"objects": {"face": {"scale": 1, "shift": 0, "least": 2}}},
            "`least` between 0 and 1",
        ),
    ],
)
def test_a_wrong_entry_of_objects_is_not_loaded(entry: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        Model.load(settings(write_store(tmp_path, **entry)))


def test_a_changed_file_is_not_loaded(tmp_path: Path) -> None:
    path = write_store(tmp_path) / "warm.fp32.onnx"
    path.write_bytes(path.read_bytes().replace(b"floor", b"flaar"))
    with pytest.raises(ModelError, match="SHA-256"):
        Model.load(settings(tmp_path))
    path.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        Model.load(settings(tmp_path))


def test_a_file_that_is_not_a_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load the network"):
        Model.load(settings(write_store(tmp_path, {"fp32": b"no protobuf"})))
    with pytest.raises(ModelError, match=r"no network 'gaze-9', only: warm"):
        Model.load(settings(tmp_path, model="gaze-9"))
    with pytest.raises(ModelError, match="no int8 file, only: fp32"):
        Model.load(settings(tmp_path, precision="int8"))
    wrong: list[dict[str, Any]] = [{"shapes": None}, {"calibration": {}}, {"symmetry_threshold": "much"}]
    for broken in wrong:
        with pytest.raises(ModelError, match="entry of warm is incomplete or wrong"):
            Model.load(settings(write_store(tmp_path, **broken)))
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ModelError, match=r"manifest\.json cannot be read"):
        Model.load(settings(tmp_path))


def test_the_environment_names_another_folder_of_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path, calibration=CALIBRATION)
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(tmp_path))
    assert Model.load(Settings()).name == "warm"
    assert calibration_of(Settings()) == Calibration.from_manifest(CALIBRATION)


def test_a_folder_without_a_manifest_is_one_clear_error(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        for read in (Model.load, calibration_of):
            with pytest.raises(ModelError) as error:
                read(settings(folder))
            assert str(error.value) == f"GAZECROP_MODEL_STORE: there is no {folder / 'manifest.json'}."
            assert error.value.__suppress_context__, (
                "a traceback must not begin with that of FileNotFoundError"
            )


@pytest.mark.parametrize("manifest", ["[]", "{}", '{"networks": 1}', '{"networks": {"a": {}}}'])
def test_a_manifest_without_its_members_is_named(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ModelError, match="needs the members `default` and `networks`"):
        Model.load(settings(tmp_path))


@pytest.mark.parametrize(
    ("vnni", "cuda", "device", "expected"),
    [
        (True, False, "auto", "int8"),
        (True, False, "cpu", "int8"),
        (False, False, "auto", "fp32"),
        (True, True, "auto", "fp32"),
        (True, True, "cpu", "int8"),
    ],
)
def test_int8_where_the_processor_is_fast_at_it(
    vnni: bool, cuda: bool, device: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_has_vnni", lambda: vnni)
    monkeypatch.setattr(module, "_has_cuda", lambda: cuda)
    chosen = settings(precision="auto", device=device)
    assert module._precision(chosen, {"fp32": {}, "int8": {}}) == expected
    assert module._precision(chosen, {"fp32": {}}) == "fp32"
    assert module._precision(settings(precision="fp32", device=device), {"fp32": {}, "int8": {}}) == "fp32"


def test_cuda_is_refused_where_the_session_does_not_report_it(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_has_cuda", lambda: False)
    with pytest.raises(ModelError, match="GAZECROP_DEVICE=cuda"):
        Model.load(settings(store, device="cuda"))
    loaded = Model.load(settings(store, device="auto"))
    assert (loaded.provider, loaded.max_batch) == ("CPUExecutionProvider", 1)


@pytest.mark.parametrize(
    ("device", "gpu", "fell_back"), [("auto", True, True), ("auto", False, False), ("cpu", True, False)]
)
def test_a_gpu_that_is_there_and_not_used_is_a_fall_back(
    device: str, gpu: bool, fell_back: bool, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_has_cuda", lambda: False)
    loaded = Model.load(settings(store, device=device))
    monkeypatch.setattr(module, "driver_finds_device", lambda: gpu)
    assert loaded.fell_back is fell_back


def test_the_shipped_network_loads_warms_and_is_quiet() -> None:
    """In a process of its own, since ONNX Runtime writes to the process's stdout and stderr."""
    program = "from gazecrop.model import *; Model.load(Settings(device='cpu')).warm()"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=STORE.parent, timeout=60)
    assert (out.returncode, out.stdout, out.stderr) == (0, b"", b"")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_shipped_network_finds_the_disc_wherever_it_is(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The self-test's result must depend on the picture."""
    manifest = json.loads((STORE / "manifest.json").read_text())
    if precision not in manifest["networks"][manifest["default"]]["files"]:
        precision = "fp32"
    loaded = Model.load(settings(precision=precision))
    loaded.warm()
    for x in (DISC[0], 1 - DISC[0]):
        for y in (DISC[1], 1 - DISC[1]):
            monkeypatch.setattr(module, "DISC", (x, y))
            loaded.warm()
