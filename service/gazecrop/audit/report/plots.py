"""Plots as SVG, written by hand: shares with their intervals, one row for each comparison. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

# Okabe and Ito's colours that stand on white and on black; every series also has a shape of its own.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a8a8a")
LABEL, PLOT, NOTE, LINE, TOP = 250, 430, 90, 13, 30


@dataclass(frozen=True, slots=True)
class Mark:
    """Shares, 0 to 1 (or any unit of the axis)."""

    series: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    note: str
    marks: tuple[Mark, ...]


def forest(
    rows: Sequence[Row],
    series: Sequence[str],
    *,
    title: str,
    ends: tuple[str, str],
    axis: tuple[float, float, float] = (0.0, 1.0, 0.5),
    ticks: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    unit: str = "%",
) -> str:
    """`axis`: left end, right end, where parity is. `ends`: what the left and the right of parity mean."""
    low, high, parity = axis
    heights = [max(1, len(row.marks)) * LINE + 9 for row in rows]
    width = LABEL + PLOT + NOTE
    lines = 1 + sum(26 + 6.4 * len(name) for name in series) // (width - LABEL - 120)
    height = TOP + sum(heights) + 28 + 16 * lines

    def x(value: float) -> float:
        return LABEL + PLOT * (min(max(value, low), high) - low) / (high - low)

    bottom = TOP + sum(heights)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    ]
    for tick in ticks:
        strong = ' class="parity"' if tick == parity else ""
        parts.append(f'<line{strong} x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 6}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 14}">{100 * tick:g} {unit}</text>')
    parts.append(
        f'<text class="end" x="{x(parity) - 8:.1f}" y="{TOP - 12}" text-anchor="end">← {escape(ends[0])}</text>'
    )
    parts.append(f'<text class="end" x="{x(parity) + 8:.1f}" y="{TOP - 12}">{escape(ends[1])} →</text>')
    y = float(TOP)
    for row, tall in zip(rows, heights, strict=True):
        middle = y + tall / 2
        parts.append(
            f'<text x="{LABEL - 12}" y="{middle + 4:.1f}" text-anchor="end">{escape(row.label)}</text>'
        )
        parts.append(
            f'<text class="note" x="{LABEL + PLOT + 10}" y="{middle + 4:.1f}">{escape(row.note)}</text>'
        )
        for place, mark in enumerate(row.marks):
            at = middle + (place - (len(row.marks) - 1) / 2) * LINE
            colour = COLOURS[mark.series % len(COLOURS)]
            numbers = f"{100 * mark.mean:.1f} ({100 * mark.low:.1f} to {100 * mark.high:.1f})"
            said = escape(f"{row.label}, {series[mark.series]}: {numbers}")
            parts.append(
                f'<g fill="{colour}" stroke="{colour}"><title>{said}</title><line class="bar" '
                f'x1="{x(mark.low):.1f}" x2="{x(mark.high):.1f}" y1="{at:.1f}" y2="{at:.1f}"/>'
                f"{_shape(mark.series, x(mark.mean), at)}</g>"
            )
        y += tall
    at, down = float(LABEL), bottom + 31
    for number, name in enumerate(series):
        wide = 26 + 6.4 * len(name)
        if at + wide > width and at > LABEL:
            at, down = float(LABEL), down + 16
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<g fill="{colour}" stroke="{colour}">{_shape(number, at, down)}</g>')
        parts.append(f'<text class="key" x="{at + 9:.0f}" y="{down + 4}">{escape(name)}</text>')
        at += wide
    return f'<div class="wide">{"".join(parts)}</svg></div>'


def _shape(series: int, x: float, y: float) -> str:
    r = 4.5
    match series % 4:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'
        case 1:
            return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
        case 2:
            return f'<path d="M{x:.1f} {y - r - 1:.1f}l{r + 1} {r + 1}l{-r - 1} {r + 1}l{-r - 1} {-r - 1}z"/>'
    return f'<path d="M{x:.1f} {y - r:.1f}l{r} {2 * r}h{-2 * r}z"/>'
