"""Writes the results of a study into its folder: report.json and report.html."""

import json
from pathlib import Path
from typing import Any


def write(folder: Path, data: dict[str, Any], html: str) -> None:
    """Prints the path of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(
        json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    report = folder / "report.html"
    report.write_text(html, encoding="utf-8")
    print(report)
