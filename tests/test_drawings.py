"""The drawings of docs/ follow the code."""

import pytest

from docs.drawings import architecture, paths
from docs.drawings.imports import ROOT


def test_the_architecture_picture_is_current() -> None:
    """CONTRIBUTING shows it: python -m docs.drawings.architecture"""
    assert architecture.FILE.read_text(encoding="utf-8") == architecture.draw()


@pytest.mark.parametrize("name", ["upload", "crop"])
def test_the_paths_are_current(name: str) -> None:
    """README shows them: python -m docs.drawings.paths"""
    file = ROOT / "docs" / f"{name}.svg"
    steps = paths.FILES[file]
    assert file.read_text(encoding="utf-8") == paths.draw(steps)
    missing = [path for _, path in steps if not (ROOT / "service" / "gazecrop" / path).is_file()]
    assert not missing
