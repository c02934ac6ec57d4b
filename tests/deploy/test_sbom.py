"""The bill of materials beside a wheel, made by the locked cyclonedx-py as `make wheel` makes it."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from gazecrop import __version__
from tests.deploy.test_shipping import pins
from tests.helpers.shipping import ROOT


@pytest.fixture(scope="module")
def cyclonedx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with what docker/sbom.lock installs."""
    folder = tmp_path_factory.mktemp("sbom")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    options = ["--disable-pip-version-check", "--require-hashes", "-r", "docker/sbom.lock"]
    done = subprocess.run([*pip, *options], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return python


def make(python: Path, kind: str, source: str, out: Path) -> bytes:
    fixed = ["service/gazecrop/__init__.py", "service/gazecrop/page_setup/npm/package-lock.json"]
    program = [str(python), "docker/sbom.py", kind, source, *fixed, str(out)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


@pytest.mark.long
def test_the_wheel_s_bill_has_every_package_of_the_lock(cyclonedx: Path, tmp_path: Path) -> None:
    made = make(cyclonedx, "requirements", "requirements.lock", tmp_path / "one.json")
    document = json.loads(made)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    root = document["metadata"]["component"]
    assert (root["name"], root["version"]) == ("gazecrop", __version__)
    listed: dict[str, set[str]] = {}
    for component in document["components"]:
        listed.setdefault(component["name"], set()).add(component["version"])
    konva = listed.pop("konva")
    assert listed == pins("requirements.lock") and len(konva) == 1
    assert "axe-core" not in listed  # of the page's tests
    assert make(cyclonedx, "requirements", "requirements.lock", tmp_path / "two.json") == made


@pytest.mark.long
def test_an_environment_s_bill_has_what_is_installed(cyclonedx: Path, tmp_path: Path) -> None:
    document = json.loads(make(cyclonedx, "environment", str(cyclonedx), tmp_path / "e.json"))
    listed = {component["name"].lower() for component in document["components"]}
    assert {"cyclonedx-bom", "packageurl-python", "konva"} <= listed


def test_make_wheel_builds_both() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", f"PYTHON={sys.executable}", "wheel"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hatchling build --target wheel" in done.stdout and "docker/sbom.lock" in done.stdout
    assert ".cdx.json" in done.stdout
