"""Forest plots: shares with their intervals, one row for each comparison, as inline SVG. Drawn by matplotlib."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

# Colours of Okabe and Ito, grey and violet, with contrast on white and on black; every series also has a marker of its
# own.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a8a8a", "#8a63c9")
MARKERS = ("o", "s", "D", "^", "v", "P")
LABEL, PLOT, NOTE = 250, 430, 90  # widths in px of the columns: label, plot, note
LINE, GAP, TOP, TICKS = 13, 9, 34, 26  # heights in px: a mark, between rows, above the rows, of the axis
INK, SOFT, RULE = "#1b1d21", "#5b616b", "#d9dce1"
VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", RULE: "var(--line)"}  # of report.css, for light and dark
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Shares, 0 to 1 (or in another unit of the axis). `series`: index into the names of the series."""

    series: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    note: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """`ends`: meaning of the left and of the right side of parity."""

    low: float
    high: float
    parity: float
    ticks: tuple[float, ...]
    ends: tuple[str, str]
    unit: str = " %"


def shares(left: str, right: str) -> Axis:
    return Axis(0.0, 1.0, 0.5, (0.0, 0.25, 0.5, 0.75, 1.0), (left, right))


def figure(rows: Sequence[Row], series: Sequence[str], axis: Axis) -> "Figure":
    """Marks beyond the ends of the axis are drawn at the end."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    heights = [max(1, len(row.marks)) * LINE + GAP for row in rows]
    columns = max(1, int((PLOT + NOTE) / (36 + 6.6 * max(map(len, series)))))
    width, tall = LABEL + PLOT + NOTE, sum(heights)
    height = TOP + tall + TICKS + 18 * ceil(len(series) / columns)
    with rc_context(STYLE):
        whole = Figure(figsize=(width / 72, height / 72), facecolor="none")
        axes = whole.add_axes((LABEL / width, 1 - (TOP + tall) / height, PLOT / width, tall / height))
        axes.set(xlim=(axis.low, axis.high), ylim=(tall, 0), facecolor="none")  # y in px from the top
        axes.spines[:].set_visible(False)
        axes.grid(axis="x", color=RULE, linewidth=1)
        axes.set_axisbelow(True)
        axes.axvline(axis.parity, color=INK, linewidth=1, linestyle=(0, (4, 3)), gid="parity")
        axes.set_xticks(axis.ticks, [f"{100 * tick:g}{axis.unit}" for tick in axis.ticks])
        middles = [sum(heights[:i]) + heights[i] / 2 for i in range(len(rows))]
        axes.set_yticks(middles, [row.label for row in rows])
        axes.tick_params(length=0, pad=8)
        for row, middle in zip(rows, middles, strict=True):
            axes.text(1.02, middle, row.note, transform=axes.get_yaxis_transform(), va="center", color=SOFT)
        for (text, side), shift in zip(zip(axis.ends, ("right", "left"), strict=True), (-8, 8), strict=True):
            arrow = f"← {text}" if side == "right" else f"{text} →"
            axes.annotate(
                arrow,
                (axis.parity, 0),
                xytext=(shift, 8),
                textcoords="offset points",
                ha=side,
                color=SOFT,
                annotation_clip=False,
            )
        for number, name in enumerate(series):
            axes.errorbar(
                *_places(rows, middles, number, axis),
                fmt=MARKERS[number % len(MARKERS)],
                color=COLOURS[number % len(COLOURS)],
                markersize=6.5,
                elinewidth=2,
                clip_on=False,
                label=name,
            )
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(0, -TICKS / tall),
            ncols=columns,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handletextpad=0.3,
            columnspacing=1.4,
        )
    return whole


def _places(
    rows: Sequence[Row], middles: Sequence[float], series: int, axis: Axis
) -> tuple[list[float], list[float], None, list[list[float]]]:
    """x, y, yerr, xerr of the marks of one series."""
    x, y, errors = [], [], []
    for row, middle in zip(rows, middles, strict=True):
        for place, mark in enumerate(row.marks):
            if mark.series == series:
                mean, low, high = (
                    min(max(value, axis.low), axis.high) for value in (mark.mean, mark.low, mark.high)
                )
                x.append(mean)
                y.append(middle + (place - (len(row.marks) - 1) / 2) * LINE)
                errors.append((max(mean - low, 0.0), max(high - mean, 0.0)))
    return x, y, None, [[low for low, _ in errors], [high for _, high in errors]]


def forest(rows: Sequence[Row], series: Sequence[str], axis: Axis, title: str) -> "Markup":
    """SVG for inclusion in HTML; the same input gives the same bytes. `title`: read out by screen readers."""
    from markupsafe import Markup, escape
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({**STYLE, "svg.hashsalt": title}):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure(rows, series, axis).savefig(file, format="svg", metadata=metadata)
    text = file.getvalue()
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    body = text[text.index(">", box.end()) + 1 :]
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # it would apply to the whole page
    body = re.sub(r' id="[\w.]+_\d+"', "", body)  # of groups, the same in every plot of a page
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    return Markup(f'<svg {box[0]} role="img" aria-label="{escape(title)}">{body}')
