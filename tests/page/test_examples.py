"""Every short example of the README and of the pages on deployment runs, as printed there, against a running server.
Those of the other pages of docs/ run in tests/docs."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from PIL import Image

from gazecrop.http.openapi import schemas
from tests.conftest import ROOT, Server, command
from tests.helpers.pictures import jpeg

README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
DEPLOYMENT = ("docker", "gpu", "migration", "nginx", "performance")
EXAMPLES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in DEPLOYMENT)]
BLOCKS = [
    block for page in EXAMPLES for block in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.S | re.M)
]
HOST = "http://127.0.0.1:8000"


def lines(program: str) -> list[str]:
    """The commands of one program, without trailing comments."""
    shell = "\n".join(text for language, text in BLOCKS if language == "sh")
    return [re.split(r"\s{2,}#", line)[0] for line in shell.splitlines() if line.startswith(f"{program} ")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A working directory with the files of the checkout that the examples read; they write into it."""
    (tmp_path / "service" / "gazecrop" / "page").mkdir(parents=True)
    (tmp_path / "service" / "gazecrop" / "page" / "drawn").symlink_to(
        ROOT / "service" / "gazecrop" / "page" / "drawn"
    )
    (tmp_path / "PHOTOS").mkdir()
    for seed in (1, 2):
        (tmp_path / "PHOTOS" / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
    return tmp_path


def run(arguments: list[str], place: Path, server: Server) -> str:
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GAZECROP_DATA_DIR": str(place / "data"),
        "GAZECROP_DEVICE": "cpu",
        "PORT": "0",
    }
    done = subprocess.run(arguments, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_there_are_examples() -> None:
    assert len(lines("curl")) >= 2 and len(lines("gazecrop")) >= 4
    assert {"json", "python", "html"} <= {language for language, _ in BLOCKS}


@pytest.mark.parametrize("line", lines("curl"))
def test_curl(line: str, place: Path, server: Server) -> None:
    command("curl")
    assert HOST in line
    out = run(
        [*shlex.split(line.replace(HOST, server.url)), "--silent", "--show-error", "--fail"], place, server
    )
    written = re.search(r"-o (\S+)", line)
    if written:
        with Image.open(place / written[1]) as picture:
            assert picture.height == 500
    else:
        schemas.Document.model_validate_json(out)


def test_the_printed_answer_is_the_real_one(server: Server) -> None:
    """Ids and versions differ from one installation to the next; long strings are cut. Processors without VNNI take
    the fp32 file, whose map is a little different."""
    [shown] = [text for language, text in BLOCKS if language == "json"]
    [(file, target)] = re.findall(rf"--data-binary @(\S+) '{HOST}(/v1/images\S*)'", README)
    given = httpx.post(server.url + target, content=(ROOT / file).read_bytes(), timeout=30).json()
    wanted = json.loads(shown)
    for document in (given, wanted):
        del document["id"], document["version"]
        document["saliency"]["encoded"] = document["saliency"]["encoded"][:8]
        document["crops"][0]["links"] = sorted(document["crops"][0]["links"])
        del document["good_ratios"], document["crops"][0]["css"]
    assert alike(wanted, given)


def alike(shown: Any, given: Any) -> bool:
    """The same texts; integers within 32, 2 percent of the picture's width, and fractions within 0.02."""
    if isinstance(shown, dict):
        return shown.keys() == given.keys() and all(alike(shown[name], given[name]) for name in shown)
    if isinstance(shown, list):
        return len(shown) == len(given) and all(map(alike, shown, given))
    if isinstance(shown, int | float) and not isinstance(shown, bool):
        return bool(abs(shown - given) <= (32 if isinstance(shown, int) else 0.02))
    return bool(shown == given)


@pytest.mark.parametrize("code", [text for language, text in BLOCKS if language == "python"])
def test_python(code: str, place: Path, server: Server) -> None:
    program = place / "example.py"
    program.write_text(code.replace(HOST, server.url))
    assert run([sys.executable, str(program)], place, server).strip()


@pytest.mark.parametrize("line", lines("gazecrop"))
def test_gazecrop(line: str, place: Path, server: Server) -> None:
    out = run(shlex.split(line), place, server)
    if "--out" in line:
        with Image.open(place / shlex.split(line)[-1]) as picture:
            assert picture.width > 100
    elif " BOXES " in line:
        boxes = (place / "BOXES" / "part-00000.jsonl").read_text().splitlines()
        assert len(boxes) == 2 and all(json.loads(one) for one in boxes)
    else:
        assert out.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_linked_files_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_embedded_pictures_can_be_decoded() -> None:
    shown = [(page, file) for page in PAGES for file in re.findall(r"!\[[^]]*\]\((\S+)\)", page.read_text())]
    assert len(shown) >= 5
    for page, file in shown:
        data = (page.parent / file).read_bytes()
        if file.endswith(".svg"):
            ElementTree.fromstring(data)
        else:
            with Image.open(io.BytesIO(data)) as picture:
                picture.load()
