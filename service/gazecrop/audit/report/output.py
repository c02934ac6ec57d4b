"""Writes the results of a study into its folder: report.json and report.html."""

import json
from pathlib import Path
from typing import Any

from gazecrop.console.names import printable


def write(folder: Path, data: dict[str, Any], html: str) -> None:
    """Names that are not UTF-8 have U+FFFD for their bytes. Prints the path of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    (folder / "report.json").write_text(printable(text), encoding="utf-8")
    report = folder / "report.html"
    report.write_text(printable(html), encoding="utf-8")
    print(printable(str(report)))
