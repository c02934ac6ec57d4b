"""The image is built from the Dockerfile as it is, without Docker, and its parts work inside it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import command
from tests.deploy.test_shipping import pins
from tests.helpers.shipping import ROOT


def build(storage: Path) -> list[str]:
    """Builds into `storage`. Returns the beginning of a command that runs in a container of the image."""
    for tool in ("buildah", "debootstrap"):
        command(tool)
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = [str(ROOT / "docker/build-without-docker.sh"), str(storage)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    # By the environment as in the script: with the option --storage-driver buildah 1.28 finds no image.
    buildah = [
        "env",
        "STORAGE_DRIVER=vfs",
        "buildah",
        "--root",
        f"{storage}/images",
        "--runroot",
        f"{storage}/run",
    ]
    container = subprocess.check_output([*buildah, "from", "--pull-never", "gazecrop"], text=True).strip()
    return [*buildah, "run", "--isolation", "chroot", container, "--"]


def check(run: list[str]) -> None:
    # The image listens on every address: without keys this setting is needed.
    doctor = [*run, "env", "GAZECROP_OPEN=true", "gazecrop", "doctor"]
    done = subprocess.run(doctor, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "onnxruntime 1." in done.stdout, done.stdout + done.stderr
    page = "service/gazecrop/page"
    shell = f"id -u && stat -c '%a %G' /data && ls {page}/examples/index.json {page}/vendor/konva.min.js"
    found = subprocess.check_output([*run, "sh", "-c", shell], text=True).splitlines()
    assert found[:2] == ["10001", "775 root"]
    bill = json.loads(subprocess.check_output([*run, "cat", "sbom.cdx.json"], text=True))
    listed = {component["name"].lower(): component["version"] for component in bill["components"]}
    locked = {name: version for name, (version,) in pins("requirements.lock").items()}
    assert {"konva", "onnxruntime", "fastapi"} <= listed.keys() and "pip" not in listed
    assert {n: v for n, v in listed.items() if n in locked} == {
        n: v for n, v in locked.items() if n in listed
    }


@pytest.mark.long
def test_the_image_builds_and_its_doctor_finds_nothing(tmp_path: Path) -> None:
    check(build(tmp_path))
