"""The wheel: one package with the served network inside, which works beside anyone's own `service` and `tests`."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.helpers.pictures import jpeg
from tests.helpers.shipping import ROOT

PROGRAM = """
import service, tests, gazecrop
assert service.MINE and tests.MINE
picture = gazecrop.look("photo.jpg")
box = picture.crop("1:1").box
print(box.x, box.y, box.width, box.height, gazecrop.__file__)
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout, without the network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("gazecrop-*.whl"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Another project, with packages named service and tests, and a picture."""
    for name in ("service", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    return tmp_path


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_one_package(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert tops == {"gazecrop", next(top for top in tops if top.endswith(".dist-info"))}
    assert not [name for name in names(wheel) if "recipe" in name or "test_" in name or "page_setup" in name]


def test_the_wheel_holds_the_templates_of_the_audit(wheel: Path) -> None:
    folder = "gazecrop/audit/report/templates/"
    expected = {file.name for file in (ROOT / "service" / folder).iterdir()}
    assert expected and {name.removeprefix(folder) for name in names(wheel) if folder in name} == expected


def test_the_wheel_holds_every_network_of_the_manifest(wheel: Path) -> None:
    manifest = json.loads((ROOT / "model_store" / "manifest.json").read_bytes())
    files = {one["file"] for entry in manifest["networks"].values() for one in entry["files"].values()}
    held = {name.removeprefix("gazecrop/model_store/") for name in names(wheel) if "/model_store/" in name}
    assert held == files | {"manifest.json"}


def test_the_wheel_holds_what_the_code_loads(wheel: Path) -> None:
    """Every file of the package that git tracks, page_setup apart."""
    tracked = subprocess.check_output(["git", "ls-files", "service/gazecrop"], cwd=ROOT, text=True)
    wanted = {line.removeprefix("service/") for line in tracked.splitlines() if "/page_setup/" not in line}
    assert wanted <= set(names(wheel))


def test_the_wheel_states_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        head = message_from_bytes(archive.read(metadata))
    assert head["License-Expression"] == "Apache-2.0"
    assert head.get_all("License-File") == ["LICENSE", "NOTICE"]


def crops(python: Path, project: Path) -> None:
    """Both ways of use: the library in a program, and the command."""
    done = subprocess.run([python, "-c", PROGRAM], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *box, file = done.stdout.split()
    assert Path(file).is_relative_to(python.parent.parent)
    command = [str(python.with_name("gazecrop")), "crop", "photo.jpg", "--ratios", "1:1", "--json"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (crop,) = json.loads(done.stdout)["crops"]
    assert [str(value) for value in crop["box"].values()] == box


def environment(folder: Path) -> Path:
    """An environment without packages; gives its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def install(python: Path, *what: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--disable-pip-version-check", *what], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_works_beside_other_packages(wheel: Path, project: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    install(python, "--no-deps", "--no-index", str(wheel))
    # The dependencies as they are installed here; a path of a .pth file brings no editable project with it.
    (packages,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    here = [Path(path) for path in sys.path if path.endswith("site-packages")]
    assert Path(sysconfig.get_path("purelib")) in here
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in here))
    crops(python, project)


@pytest.mark.long
def test_the_wheel_brings_its_dependencies(wheel: Path, project: Path, tmp_path: Path) -> None:
    """In the versions of the lock, from the registry."""
    python = environment(tmp_path / "venv")
    lock = [
        line.split(" ")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    ]
    (tmp_path / "constraints.txt").write_text("\n".join(lock) + "\n")
    install(python, "--constraint", str(tmp_path / "constraints.txt"), str(wheel))
    crops(python, project)
