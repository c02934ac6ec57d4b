"""The report of stability and compare: a table, and the crops that moved farthest."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import ImageDraw

from gazecrop.audit.material.folder_crops import MOVED, FolderCrops, Move
from gazecrop.audit.report.html import Provenance, render
from gazecrop.audit.report.output import write
from gazecrop.audit.studies.compare import ALL
from gazecrop.audit.studies.stability import Row, upright
from gazecrop.console.sources import Item
from gazecrop.picture.decode import Limits

HEAD = ("", "crops", "moved, %", "median move, %", "farthest, %")
WORST = 12
DRAWN = 420  # pixels of a picture in the report


@dataclass(frozen=True, slots=True)
class Report:
    """`lead`: a sentence below the title. `sides`: how the pictures were cropped, one or two. `explanation`: for the
    legend. `note`: a warning, if any. `unreadable`: names of pictures."""

    title: str
    lead: str
    sides: Sequence[FolderCrops]
    rows: Sequence[Row]
    unreadable: Sequence[str]
    explanation: str = ""
    note: str = ""

    @property
    def networks(self) -> list[str]:
        return list(dict.fromkeys(crops.name for crops in self.sides))

    @property
    def policies(self) -> list[str]:
        return list(dict.fromkeys(crops.options.policy for crops in self.sides))


def write_report(report: Report, provenance: Provenance, folder: Path, items: Sequence[Item] | None) -> int:
    """Prints the table, writes the report, and returns the exit status: 1 without a single crop. `items`: the pictures
    of the study, to show those with the farthest moves; None: the report has no pictures."""
    print(plain(report.rows))
    write(folder, data(report, provenance), html(report, provenance, items))
    return 0 if report.rows else 1


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


def data(report: Report, provenance: Provenance) -> dict[str, Any]:
    """For report.json."""
    return {
        **provenance.json(),
        "networks": report.networks,
        "rows": [
            {
                "name": row.name,
                "crops": row.crops,
                "moved": round(row.moved, 4),
                "median": round(row.median, 4),
                "farthest": round(row.farthest, 4),
                "worst": [_move(move) for move in row.worst if move.distance > 0],
            }
            for row in report.rows
        ],
        "unreadable": list(report.unreadable),
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
    every = sorted(
        ((row.name, move) for row in rows for move in row.worst), key=lambda pair: -pair[1].distance
    )
    first: dict[str, tuple[str, Move]] = {}
    for name, move in every:
        if move.distance > MOVED:
            first.setdefault(move.file, (name, move))
    return list(first.values())[:WORST]


def html(report: Report, provenance: Provenance, items: Sequence[Item] | None) -> str:
    worst = worst_of(report.rows)
    named = {item.name: item for item in items or ()}
    return render(
        "crop_moves.html",
        provenance,
        title=report.title,
        lead=report.lead,
        note=report.note,
        networks=report.networks,
        head=HEAD,
        rows=[cells(row) for row in report.rows],
        worst=[(caption(name, move), f"{100 * move.distance:.1f}") for name, move in worst],
        pictures=[
            (draw(named[move.file], move, report.sides[0].limits), caption(name, move))
            for name, move in worst
            if items is not None
        ],
        unreadable=report.unreadable[:200],
        threshold=f"{100 * MOVED:.0f}",
        ratios=[ratio.text for ratio in report.sides[0].ratios],
        policy=" and ".join(report.policies),
        explanation=report.explanation,
    )


def caption(row: str, move: Move) -> str:
    """File, ratio, and the transformation. The rows of `compare` are of ratios, and are left out."""
    return f"{move.file}, {move.ratio}" + ("" if row in (ALL, move.ratio) else f", {row}")


def draw(item: Item, move: Move, limits: Limits) -> bytes:
    """JPEG of the picture with the centre of the crop before (ring) and after (disc), and a line between them."""
    picture = upright(item.read(), limits)
    picture.thumbnail((DRAWN, DRAWN))
    pen = ImageDraw.Draw(picture)
    ends = [(x * picture.width, y * picture.height) for x, y in (move.before, move.after)]
    for width, colour in ((7, (16, 16, 20)), (3, (255, 255, 255))):
        pen.line(ends, fill=colour, width=width)
    pen.circle(ends[0], 9, outline=(255, 255, 255), width=4)
    pen.circle(ends[1], 9, fill=(213, 94, 0), outline=(255, 255, 255), width=3)
    file = BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()
