"""The image is built from the Dockerfile as it is, without Docker, and runs as the manifests run it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands.test_serve_stop import handles_sigterm
from tests.conftest import command, free_port
from tests.deploy.test_shipping import pins
from tests.helpers.contract import answer_of, begin_upload, until
from tests.helpers.crun import Container, container
from tests.helpers.pictures import jpeg
from tests.helpers.shipping import ROOT

pytestmark = pytest.mark.long


@dataclass
class Image:
    """buildah: the beginning of a command. container: the name of one of the image."""

    buildah: list[str]
    container: str

    def run(self, *arguments: str) -> str:
        """What a program inside writes."""
        program = [*self.buildah, "run", "--isolation", "chroot", self.container, "--", *arguments]
        done = subprocess.run(program, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def rootfs(self) -> Path:
        return Path(subprocess.check_output([*self.buildah, "mount", self.container], text=True).strip())

    @property
    def configuration(self) -> dict[str, Any]:
        found = json.loads(
            subprocess.check_output([*self.buildah, "inspect", "--type", "image", "gazecrop"], text=True)
        )
        docker: dict[str, Any] = found["Docker"]["config"]
        return docker


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Built once: two minutes, most of it pip. Its 2 GB are removed afterwards, and what is mounted of it before."""
    for tool in ("buildah", "debootstrap"):
        command(tool)
    if os.geteuid() != 0:
        pytest.skip("needs root")
    storage = tmp_path_factory.mktemp("storage")
    script = [str(ROOT / "docker/build-without-docker.sh"), str(storage)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    # By the environment as in the script: with the option --storage-driver buildah 1.28 finds no image.
    folders = ["--root", f"{storage}/images", "--runroot", f"{storage}/run"]
    buildah = ["env", "STORAGE_DRIVER=vfs", "buildah", *folders]
    name = subprocess.check_output([*buildah, "from", "--pull-never", "gazecrop"], text=True).strip()
    yield Image(buildah, name)
    subprocess.run([*buildah, "rm", "--all"], check=True, capture_output=True)
    shutil.rmtree(storage, ignore_errors=True)


def test_its_doctor_finds_nothing(image: Image) -> None:
    # It listens on every address of its container, which needs keys or this.
    assert "onnxruntime 1." in image.run("env", "GAZECROP_OPEN=true", "gazecrop", "doctor")
    page = "service/gazecrop/page"
    shell = f"id -u && stat -c '%a %G' /data && ls {page}/examples/index.json {page}/vendor/konva.min.js"
    assert image.run("sh", "-c", shell).splitlines()[:2] == ["10001", "775 root"]


def test_its_bill_of_materials_has_what_the_lock_installs(image: Image) -> None:
    bill = json.loads(image.run("cat", "sbom.cdx.json"))
    listed = {component["name"].lower(): component["version"] for component in bill["components"]}
    locked = {name: version for name, (version,) in pins("requirements.lock").items()}
    assert {"konva", "onnxruntime", "fastapi"} <= listed.keys() and "pip" not in listed
    assert {n: v for n, v in listed.items() if n in locked} == {
        n: v for n, v in locked.items() if n in listed
    }


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a real one."""
    port = free_port()
    program = [command("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen([*program, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def running(image: Image, folder: Path, redis: str, port: int) -> AbstractContextManager[Container]:
    command("crun")
    # Loopback alone; in the manifests the pod's network is its own.
    variables = {"PORT": str(port), "REDIS_URL": redis, "GAZECROP_HOST": "127.0.0.1"}
    return container(image.rootfs, image.configuration, folder, variables)


def test_it_runs_read_only_without_privileges_and_finishes_uploads(
    image: Image, redis: str, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(image, tmp_path / "bundle", redis, port) as one:
        until(lambda: one.run(*one.health) == 0 or one.process.poll() is not None, 120)
        assert one.process.poll() is None, one.log.read_text()
        status = Path(f"/proc/{one.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == ["10001"] * 4 and fields["NoNewPrivs"] == "1"
        assert {fields[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert (
            one.run("touch", "/app/x") != 0 and one.run("touch", "/tmp/x") == one.run("touch", "/data/x") == 0
        )

        assert httpx.post(f"{url}/v1/images", content=jpeg(seed=870), timeout=60).status_code == 201
        keys = subprocess.check_output(["redis-cli", "-u", redis, "DBSIZE"], text=True)
        assert int(keys) >= 1

        picture = jpeg(seed=871)
        with begin_upload(url, picture, sent=1000) as connection:
            until(lambda: one.run(*one.health) == 0)
            one.signal(signal.SIGTERM)
            until(lambda: one.run(*one.health) != 0)  # it drains: no new work comes
            connection.sendall(picture[1000:])
            assert answer_of(connection).status_code == 201
        assert one.process.wait(timeout=60) == 0
        assert "Traceback" not in one.log.read_text()


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.4, 0.5])
def test_a_signal_during_the_start_ends_it(image: Image, redis: str, delay: float, tmp_path: Path) -> None:
    """It is process 1, for which the kernel drops a signal without a handler. The interpreter needs 25 ms,
    and on a busy machine more, until the program's first line sets one: that much is waited for."""
    with running(image, tmp_path / "bundle", redis, free_port()) as one:
        until(lambda: one.pid or one.process.poll() is not None, 60)
        time.sleep(delay)
        until(lambda: handles_sigterm(one.pid), 60)
        one.signal(signal.SIGTERM)
        assert one.process.wait(timeout=30) == 0, one.log.read_text()
        assert "Traceback" not in one.log.read_text()
