"""The judge of the CUDA path: without a device its one line, its code on the CPU, its measure of differences."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gazecrop.model import Outputs, driver_finds_device
from model_store.recipe.judge import gpu
from tests.conftest import ROOT
from tests.helpers.networks import WITH_OBJECTS, network, write_store


@pytest.mark.skipif(driver_finds_device(), reason="there is a CUDA device")
def test_without_a_device_it_says_so_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model_store.recipe.judge.gpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("no figures of a GPU: ") and "no device" in line


def test_its_code_runs_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_store(tmp_path, {"fp32": network(objects=True)}, **WITH_OBJECTS)
    monkeypatch.setenv("GAZECROP_MODEL_STORE", str(tmp_path))
    gpu.main(gpu.Options(batches="1,3", seconds=0.05, provider="cpu"))
    out = capsys.readouterr().out.splitlines()
    assert out[1] == "differences to CPUExecutionProvider: maps 0, objects 0"
    assert [line.split()[0] for line in out[2:]] == ["batch", "1", "3"]
    assert all(float(number) > 0 for line in out[3:] for number in line.split())


def test_differences_are_of_likely_objects_only() -> None:
    density = np.array([[[0.2, 0.8]]], np.float32)
    objects = np.full((1, 10, 1, 2), -9, np.float32)
    moved = objects.copy()
    moved[0, 0, 0, 0], moved[0, 3, 0, 0], moved[0, 5, 0, 1] = (
        1,
        -8.5,
        -5,
    )  # a face, its width; an unlikely line
    maps, boxes = gpu.differences(Outputs(density, objects), Outputs(density + np.float32(0.08), moved))
    assert maps == pytest.approx(0.1) and boxes == 10
    assert gpu.differences(Outputs(density, None), Outputs(density, None)) == (0, None)
