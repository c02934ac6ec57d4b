"""Boxes and lines as SVG that is legible on white and on dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Box:
    """A labelled rectangle; units are pixels. strong: drawn in the accent colour."""

    x: float
    y: float
    width: float
    height: float
    title: str
    text: str = ""
    strong: bool = False

    def svg(self) -> str:
        fill, stroke = ("#e3f4ec", "#009e73") if self.strong else ("#eef3fb", "#4a6fa5")
        middle = self.x + self.width / 2
        title_y = self.y + (self.height / 2 - 4 if self.text else self.height / 2 + 5)
        parts = [
            f'<rect x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" height="{self.height:g}" rx="6" '
            f'fill="{fill}" stroke="{stroke}"/>',
            f'<text x="{middle:g}" y="{title_y:g}" font-weight="bold">{escape(self.title)}</text>',
        ]
        if self.text:
            parts.append(
                f'<text x="{middle:g}" y="{self.y + self.height / 2 + 14:g}" font-size="11">'
                f"{escape(self.text)}</text>"
            )
        return "\n".join(parts)


def line(start: Box, end: Box) -> str:
    """An arrow from the bottom of one box to the top of another, or from side to side in one row."""
    if abs(start.y - end.y) < 1:
        right = end.x > start.x
        x1, x2 = (start.x + start.width, end.x) if right else (start.x, end.x + end.width)
        y1 = y2 = start.y + start.height / 2
    else:
        x1, y1 = start.x + start.width / 2, start.y + start.height
        x2, y2 = end.x + end.width / 2, end.y
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" marker-end="url(#head)"/>'


def document(width: float, height: float, parts: Sequence[str]) -> str:
    """The whole file."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            'font-family="sans-serif" font-size="13" text-anchor="middle">',
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 8 4 0 8z" fill="#6b7280"/></marker></defs>',
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            '<g stroke="#6b7280" stroke-opacity="0.55" fill="none">',
            *[part for part in parts if part.startswith("<line")],
            "</g>",
            *[part for part in parts if not part.startswith("<line")],
            "</svg>",
            "",
        ]
    )
