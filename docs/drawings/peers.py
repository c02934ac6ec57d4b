"""The chart of Gazecrop beside other croppers, from docs/peers.json (`make bench-peers`) -> docs/peers.svg.

python -m docs.drawings.peers

Three bars for each: crop score (0: the centre crop, 100: the best crop there is), large faces cut through, and CPU.
"""

import json
import math
from collections.abc import Callable
from html import escape
from typing import Any

from docs.drawings.imports import ROOT

DATA, FILE = ROOT / "docs" / "peers.json", ROOT / "docs" / "peers.svg"
NAME, ROW, TOP = 190, 26, 58  # pixels
OURS, OTHERS, INK = "#009e73", "#8aa4c8", "#1f2937"


class Column:
    """A column of bars: values from `least` to `most` on `width` pixels, from the place of `zero` on."""

    def __init__(
        self,
        title: str,
        left: float,
        width: float,
        least: float,
        most: float,
        value: Callable[[dict[str, Any]], float],
    ) -> None:
        self.title, self.left, self.width, self.least, self.most, self.value = (
            title,
            left,
            width,
            least,
            most,
            value,
        )

    def place(self, value: float) -> float:
        share = (min(max(value, self.least), self.most) - self.least) / (self.most - self.least)
        return self.left + share * self.width

    def bar(self, y: float, value: float, text: str, colour: str) -> str:
        zero = self.place(max(0.0, self.least))
        end = self.place(value)
        left, width = min(zero, end), max(abs(end - zero), 1)
        label = self.left + self.width + 6
        return (
            f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{ROW - 10}" fill="{colour}"/>'
            f'<text x="{label:.1f}" y="{y + 12:.1f}">{escape(text)}</text>'
        )


def logarithm(row: dict[str, Any]) -> float:
    return math.log10(max(row["milliseconds"], 0.1))


def draw() -> str:
    stored = json.loads(DATA.read_text())
    rows = sorted(stored["rows"].items(), key=lambda each: -each[1]["crop_score"])
    low = min(0, *(row["crop_score"] for _, row in rows))
    most = max(row["large_faces_cut"] or 0 for _, row in rows)
    columns = (
        (Column("crop score", NAME, 170, low, 70, lambda row: row["crop_score"]), "crop_score", "{:.0f}"),
        (
            Column("large faces cut, %", 430, 120, 0, most, lambda row: row["large_faces_cut"] or 0),
            "large_faces_cut",
            "{:.0f}",
        ),
        (Column("CPU a picture, ms (logarithmic)", 620, 120, -0.5, 3, logarithm), "milliseconds", "{:.1f}"),
    )
    height = TOP + ROW * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {height}" font-family="sans-serif" font-size="12" '
        f'fill="{INK}">',
        f'<rect width="800" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="20" font-weight="bold">{stored["pictures"]} photographs with recorded gaze</text>',
    ]
    parts += [
        f'<text x="{column.left}" y="44" font-weight="bold">{column.title}</text>' for column, _, _ in columns
    ]
    for number, (name, row) in enumerate(rows):
        y = TOP + ROW * number
        colour = OURS if name.startswith("gazecrop") else OTHERS
        parts.append(f'<text x="12" y="{y + 12}">{escape(name)}</text>')
        for column, key, form in columns:
            text = "-" if row[key] is None else form.format(row[key])
            parts.append(column.bar(y, column.value(row), text, colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
