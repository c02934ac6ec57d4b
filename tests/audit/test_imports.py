"""The arrows inside the audit: commands -> people_audit -> report -> studies -> material."""

import re
from pathlib import Path

import pytest

import gazecrop.audit

FOLDER = Path(gazecrop.audit.__file__).parent
ORDER = ("extra", "material", "studies", "report", "people_audit", "commands")
FILES = [file for name in ORDER for file in (FOLDER / name).glob("*.py")] + [FOLDER / "people_audit.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_imports_point_one_way(file: Path) -> None:
    level = ORDER.index(file.relative_to(FOLDER).parts[0].removesuffix(".py"))
    used = set(re.findall(r"from gazecrop\.audit\.(\w+)", file.read_text()))
    if "from gazecrop.audit import" in file.read_text():
        used.add("people_audit")
    assert used <= {*ORDER[: level + 1]}
