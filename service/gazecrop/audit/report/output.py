"""Writes a study's results into its folder: report.json and report.html."""

import json
from pathlib import Path
from typing import Any


def write(folder: Path, data: dict[str, Any], html: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(
        json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (folder / "report.html").write_text(html, encoding="utf-8")
