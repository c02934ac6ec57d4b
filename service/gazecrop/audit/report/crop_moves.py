"""Reports of stability, compare and check: a table, and the crops that moved farthest. Plain data in, text out."""

from collections.abc import Callable, Sequence
from typing import Any

from gazecrop import __version__
from gazecrop.audit.material.folder_crops import MOVED, Move
from gazecrop.audit.report.page import page, paragraph, section, strip, table
from gazecrop.audit.studies.stability import Row

HEAD = ("", "crops", "moved, %", "median move, %", "farthest, %")
WORST = 12


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.crops:,}",
        f"{100 * row.moved:.1f}",
        f"{100 * row.median:.2f}",
        f"{100 * row.farthest:.1f}",
    )


def plain(rows: Sequence[Row]) -> str:
    """For the terminal."""
    lines = [HEAD, *(cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )


def data(rows: Sequence[Row], unreadable: Sequence[str]) -> dict[str, Any]:
    """For report.json."""
    return {
        "release": __version__,
        "rows": [
            {
                "name": row.name,
                "crops": row.crops,
                "moved": round(row.moved, 4),
                "median": round(row.median, 4),
                "farthest": round(row.farthest, 4),
                "worst": [_move(move) for move in row.worst if move.far > 0],
            }
            for row in rows
        ],
        "unreadable": list(unreadable),
    }


def _move(move: Move) -> dict[str, Any]:
    return {
        "file": move.file,
        "ratio": move.ratio,
        "before": [round(value, 4) for value in move.before],
        "after": [round(value, 4) for value in move.after],
    }


def worst_of(rows: Sequence[Row]) -> list[tuple[str, Move]]:
    """The farthest moves of all rows, no picture twice."""
    every = sorted(((row.name, move) for row in rows for move in row.worst), key=lambda pair: -pair[1].far)
    first: dict[str, tuple[str, Move]] = {}
    for name, move in every:
        if move.far > MOVED:
            first.setdefault(move.file, (name, move))
    return list(first.values())[:WORST]


def html(
    title: str,
    lead: str,
    explained: str,
    rows: Sequence[Row],
    unreadable: Sequence[str],
    draw: Callable[[Move], bytes] | None,
) -> str:
    """`draw`: a JPEG with the crop before and after; None: no pictures in the report."""
    worst = worst_of(rows)
    lines = [(f"{name}: {move.file}, {move.ratio}", f"{100 * move.far:.1f}") for name, move in worst]
    shown = (
        strip([(draw(move), f"{name}, {move.ratio}: {move.file}") for name, move in worst]) if draw else ""
    )
    none = paragraph(f"No crop moved by more than {100 * MOVED:.0f} % of the frame.")
    return page(
        title,
        lead,
        [
            section("The table", paragraph(explained), table(HEAD, [cells(row) for row in rows])),
            section(
                "The farthest moves", table(("crop", "% of the frame"), lines) + shown if worst else none
            ),
            *([section("Not read", paragraph(", ".join(unreadable[:200])))] if unreadable else []),
        ],
        f"gazecrop audit, release {__version__}",
    )
