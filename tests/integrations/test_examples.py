"""Every example of examples/ runs by its one command, against the real other side."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

import gazecrop
from tests.conftest import Server, command, free_port
from tests.helpers.environments import node_environment, python_environment
from tests.helpers.shipping import ROOT

pytestmark = pytest.mark.long
EXAMPLES = ROOT / "examples"
HERE = Path(sys.executable).parent
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """run(name, *arguments, programs=): what the example prints. It runs in an empty folder."""

    def run(
        name: str, *arguments: object, programs: Path = HERE, folder: Path = EXAMPLES, **environment: str
    ) -> str:
        command("curl")
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("GAZECROP_")}
        path = f"{programs}{os.pathsep}{HERE}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", str(folder / name / "run.sh"), *map(str, arguments)],
            cwd=tmp_path,
            env=inherited | {"PATH": path, "GAZECROP_DEVICE": "cpu"} | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return run


def test_every_example_is_listed_and_runs_here() -> None:
    names = {path.parent.name for path in EXAMPLES.glob("*/run.sh")}
    assert names == {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert names == set(re.findall(r"^\| \[(\w+)\]\(", (EXAMPLES / "README.md").read_text(), re.M))
    assert {f"test_{name}" for name in names} <= set(globals())
    assert all((EXAMPLES / name / "README.md").is_file() for name in names)


def test_curl(run: Run, photo: Callable[[str], Path], server: Server, tmp_path: Path) -> None:
    printed = run("curl", photo("astronaut"), server.url)
    crops = json.loads(printed.splitlines()[0])["crops"]
    picture = gazecrop.look(photo("astronaut"))
    assert [crop["box"] for crop in crops] == [picture.crop(r).box._asdict() for r in ("16:9", "4:5")]
    with Image.open(tmp_path / "square.webp") as cut:
        assert cut.width == cut.height


@pytest.mark.parametrize("remote", [False, True])
def test_fastapi_upload(
    run: Run, photo: Callable[[str], Path], remote: bool, start_server: Callable[..., Server], tmp_path: Path
) -> None:
    service = {}
    if remote:
        service = {"GAZECROP_URL": start_server(GAZECROP_API_KEYS="k").url, "GAZECROP_API_KEY": "k"}
    answer = json.loads(run("fastapi_upload", photo("rocket"), free_port(), **service))
    picture = gazecrop.look(photo("rocket"))
    assert {name: crop["box"] for name, crop in answer["crops"].items()} == {
        ratio: picture.crop(ratio).box._asdict() for ratio in ("16:9", "1:1", "4:5")
    }
    assert (tmp_path / "uploads" / answer["name"]).read_bytes() == photo("rocket").read_bytes()


def test_imgproxy_urls(run: Run, photo: Callable[[str], Path]) -> None:
    printed = run("imgproxy_urls", photo("rocket"))
    box = gazecrop.look(photo("rocket")).crop("16:9").box
    [address] = re.findall(r'<img src="([^"]+)"', printed)
    _, signature, cut, *_ = urlsplit(address).path.split("/")
    assert cut == f"c:{box.width}:{box.height}:nowe:{box.x}:{box.y}" and len(signature) == 43
    assert printed.count("<source") == 2


def test_sharp_build(run: Run, photo: Callable[[str], Path], tmp_path: Path) -> None:
    """In the folder of the packages, as `npm install` in the example's own would make it."""
    command("node")
    helper = ROOT / "service" / "gazecrop" / "integrations" / "sharp"
    packages = node_environment("sharp", "sharp@0.35.5", str(helper))
    shutil.copytree(EXAMPLES / "sharp_build", tmp_path / "project" / "sharp_build")
    (tmp_path / "project" / "node_modules").symlink_to(packages / "node_modules")
    (tmp_path / "photos").mkdir()
    for name in ("rocket", "chelsea"):
        shutil.copy(photo(name), tmp_path / "photos")
    printed = run("sharp_build", "photos", "out", folder=tmp_path / "project")
    wanted = {f"{name}-{ratio}-{width}.webp" for name in ("rocket", "chelsea") for ratio in ("16x9", "1x1") for width in (400, 800)}  # fmt: skip  # noqa: E501
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted
    assert "rocket-1x1-400.webp 400x400" in printed.splitlines()


def test_thumbor(run: Run, photo: Callable[[str], Path], tmp_path: Path) -> None:
    programs = python_environment("thumbor", "thumbor==7.8.0")
    run("thumbor", photo("astronaut"), free_port(), programs=programs)
    with Image.open(tmp_path / "wide.jpg") as cut:
        assert cut.size == (600, 200)


def test_wagtail(run: Run, photo: Callable[[str], Path]) -> None:
    programs = python_environment("wagtail", "wagtail==8.0.1")
    box = gazecrop.look(photo("astronaut")).crop("1:1", zoom="auto", fill=0.9).box
    printed = run("wagtail", photo("astronaut"), programs=programs)
    point = f"{box.x + box.width // 2} {box.y + box.height // 2} {box.width} {box.height}"
    assert f"focal point {point}" in printed and ".fill-300x300." in printed
