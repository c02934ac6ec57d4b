"""The pages of docs/: those that follow the code are current, the site builds, and what they show runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs.reference import FOLDER, PAGES
from docs.reference.errors import FIXES, tree
from tests.conftest import Server, command
from tests.helpers.shipping import ROOT

DOCS = ROOT / "docs"
PAGE = ROOT / "service" / "gazecrop" / "page"
LANGUAGES = ("sh", "python", "js")  # a block of "shell" needs root, Docker, or more than this machine
# These pages have tests of their own: test_documents.py, test_vendors.py and others.
ELSEWHERE = {"docker.md", "nginx.md", "gpu.md", "migration.md", "tracing.md"}
BLOCKS = [
    pytest.param(language, code, id=f"{path.relative_to(DOCS)}-{number}-{language}")
    for path in sorted(DOCS.rglob("*.md"))
    if path.name not in ELSEWHERE and path.parent.name != "runbooks"
    for number, (language, code) in enumerate(
        re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(), re.M | re.S)
    )
    if language in LANGUAGES
]


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_follows_the_code(name: str) -> None:
    """python -m docs.reference"""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_error_has_a_fix() -> None:
    assert FIXES.keys() == {each.slug for each in tree()}


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    """Links and anchors lead somewhere, and every page is in the navigation."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "http.html").is_file()
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    listed = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]))
    assert pages - listed == {f"runbooks/{path.name}" for path in DOCS.glob("runbooks/Gazecrop*.md")}


def test_the_site_loads_nothing_from_other_hosts() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert settings["theme"]["font"] is False and "extra_javascript" not in settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages suppose: photo.jpg, a folder of photos, and gazecrop.js."""
    place = tmp_path_factory.mktemp("docs")
    (place / "photos").mkdir()
    shutil.copy(PAGE / "drawn" / "balloon.jpg", place / "photo.jpg")
    shutil.copy(PAGE / "drawn" / "balloon.jpg", place / "photos")
    shutil.copy(PAGE / "gazecrop.js", place)
    (place / "package.json").write_text('{"type": "module"}')
    return place


@pytest.mark.parametrize(("language", "code"), BLOCKS)
def test_what_a_page_shows_runs(language: str, code: str, folder: Path, server: Server) -> None:
    script = folder / f"snippet.{language}"
    script.write_text(code.replace("http://127.0.0.1:8000", server.url))
    programs = {
        "sh": ["bash", "-euo", "pipefail", str(script)],
        "python": [sys.executable, str(script)],
        "js": [command("node"), str(script), "R0MxAwIAAAAAHgAAABRjYGRklmYFAA"],
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        programs[language],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PATH": path},
    )
    assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "/problems/" not in done.stdout  # curl without --fail prints an error's document
