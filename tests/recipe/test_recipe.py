"""The recipe's torch parts, run by the Python of .venv-train (`make network` sets it up), which has torch."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
TRAIN = Path(sys.executable) if find_spec("torch") else ROOT / ".venv-train" / "bin" / "python"
DATA = Path(os.environ.get("GAZECROP_DATA", ROOT.parent / "shared" / "data"))
CHECKS = [
    node.name
    for node in ast.parse(Path(__file__).with_name("torch_checks.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not TRAIN.exists(), reason="torch is not installed: `make .venv-train/stamp` installs it"
    ),
]


def run(*arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [str(TRAIN), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'service'}{os.pathsep}{ROOT}"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


@pytest.mark.parametrize("check", CHECKS)
def test_torch(check: str) -> None:
    run("-c", f"from tests.recipe.torch_checks import {check}; {check}()")


@pytest.mark.skipif(not DATA.exists(), reason="no training data: set GAZECROP_DATA to its folder")
def test_every_stage_runs_on_a_few_pictures(tmp_path: Path) -> None:
    run("-m", "model_store.recipe.run", "--smoke", GAZECROP_WORK=str(tmp_path))
    made = {path.name for path in (tmp_path / "smoke").iterdir()}
    assert {"gaze-2.onnx", "gaze-2.int8.onnx", "manifest.json", "prune.json"} <= made
    assert not made & {"gaze-0.onnx", "scores.json", "leave-out.json"}  # made by evidence.py
    run("-m", "model_store.recipe.evidence", "--smoke", GAZECROP_WORK=str(tmp_path))
    made = {path.name for path in (tmp_path / "smoke").iterdir()}
    assert {"gaze-2.onnx", "gaze-2.int8.onnx", "manifest.json", "scores.json", "prune.json"} <= made
    maps = np.load(tmp_path / "smoke" / "photos-teacher.npy")
    assert np.isfinite(maps.astype(np.float32)).all()
