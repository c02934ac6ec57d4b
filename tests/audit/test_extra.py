"""Without the extra [audit]: help and the lock file work, all else prints one line that names what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

from gazecrop.cli import main
from tests.helpers.pictures import draw
from tests.helpers.portraits import write_people

EXTRA = ("httpx", "jinja2", "matplotlib")


@pytest.fixture(autouse=True)
def without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment that has none of these packages."""
    for name in EXTRA:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(tmp_path)
    write_people(tmp_path, 2)


IMPORTS = f"""
import importlib, pkgutil, sys
for name in {EXTRA}:
    sys.modules[name] = None
import gazecrop.audit
for module in pkgutil.walk_packages(gazecrop.audit.__path__, "gazecrop.audit."):
    importlib.import_module(module.name)
    print(module.name)
"""


def test_no_module_of_the_audit_imports_the_extra_by_itself() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "gazecrop.audit.report.plots" in done.stdout.split()


@pytest.mark.parametrize(
    "command", ["pairs", "people", "crowd", "stability", "compare", "fetch-wikicelb", "lock"]
)
def test_help_works(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["audit", command, "--help"])
    assert end.value.code == 0
    assert "usage: gazecrop audit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["people", "people.csv"], "jinja2"),
        (["gaze", "people.csv"], "jinja2"),
        (["crowd", "."], "jinja2"),
        (["stability", "."], "jinja2"),
        (["compare", "."], "jinja2"),
        (["fetch-wikicelb", "w", "--contact", "me@example.org"], "httpx"),
    ],
)
def test_one_line_names_what_to_install(
    arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", *arguments]) == 2
    output = capsys.readouterr()
    assert output.err == (
        f"gazecrop audit: {missing} is missing: install the extra [audit], "
        "for example pip install '.[audit]' in the checkout\n"
    )
    assert not Path("gazecrop-audit").exists()


def test_lock_and_check_need_no_extra(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    draw(160, 120).save(tmp_path / "pictures" / "a.png")
    assert main(["audit", "lock", "pictures"]) == 0
    assert main(["audit", "check", "pictures"]) == 0
