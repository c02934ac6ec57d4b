"""The tables of AUDIT.md, in Markdown, from the results of the studies. Plain data in, text out."""

from collections.abc import Sequence
from typing import Any

from gazecrop.audit.report import detection as found_faces
from gazecrop.audit.report.crop_moves import HEAD
from gazecrop.audit.report.crop_moves import cells as row_cells
from gazecrop.audit.report.crowd import rows_by_number, slope_rows
from gazecrop.audit.report.markdown import table
from gazecrop.audit.report.numbers import gap, points, share
from gazecrop.audit.report.pair_tables import beyond_chance, covariate_row
from gazecrop.audit.report.person_tables import on_head, position
from gazecrop.audit.studies.bootstrap import Estimate
from gazecrop.audit.studies.crowd import Crowd
from gazecrop.audit.studies.favour import POLICIES
from gazecrop.audit.studies.stability import Row
from gazecrop.audit.studies.variants import VariantGap

Data = dict[str, Any]
Named = Sequence[tuple[str, Data]]  # "set, first : second", and the data of `people_data.cell_of`

GROUPS = "first : second"
SHARES = ("point, %", "attention, %", "window keeps ±")


def _shares(cell: Data) -> tuple[str, str, str]:
    """The columns SHARES."""
    return share(cell["point"]), share(cell["mass"]), gap(cell["kept"]["window"]["all"])


def attention(cells: Named) -> str:
    rows = [
        (name, f"{cell['pairs']:,}", " : ".join(map(str, cell["persons"])), *_shares(cell)[:2])
        for name, cell in cells
    ]
    return table((GROUPS, "pairs", "persons", "point, % to the first", "attention, % to the first"), rows)


def kept(cells: Named) -> str:
    rows = [(name, *(gap(cell["kept"][policy]["all"]) for policy in POLICIES)) for name, cell in cells]
    return table((GROUPS, "balanced", "window", "point", "Twitter's rule", "centre", "random"), rows)


def others(cells: Named) -> str:
    rows = [(name, f"{cell['pairs']:,}", *_shares(cell)) for name, cell in cells]
    return table((GROUPS, "pairs", *SHARES), rows)


def compared(rows: Sequence[tuple[str, str, Data]]) -> str:
    """`rows`: set and groups, network, the data of `people_data.cell_of`."""
    lines = [
        (name, network, f"{cell['pairs']:,}", *_shares(cell), gap(cell["kept"]["twitter"]["all"]))
        for name, network, cell in rows
    ]
    return table((GROUPS, "network", "pairs", *SHARES, "Twitter's rule keeps ±"), lines)


def layouts(cells: Named) -> str:
    """One column a layout."""
    names = list(cells[0][1]["layouts"])
    rows = [
        (name, f"{cell['pairs']:,}", measure, *(share(cell["layouts"][layout][key]) for layout in names))
        for name, cell in cells
        for key, measure in (("point", "point"), ("mass", "attention"))
    ]
    return table((GROUPS, "pairs", "%", *names), rows)


def places(found: Sequence[tuple[str, Estimate, Estimate]]) -> str:
    rows = [(name, share(point.json()), share(mass.json())) for name, point, mass in found]
    return table(("to the left (upper) person", "point, %", "attention, %"), rows)


def alike(found: Sequence[VariantGap]) -> str:
    """The ablation: the gap with portraits equalised in one respect."""
    rows = []
    for one in found:
        moved = [points(each.json()) for each in one.moved] if one.moved else ["", "", ""]
        shares = (share(one.point.json()), moved[0], share(one.mass.json()), moved[1], gap(one.kept.json()))
        rows.append((one.name, one.variant or "unchanged", str(one.pairs), *shares))
    point, mass, window = SHARES
    return table((GROUPS, "equalised", "pairs", point, "change", mass, "change", window), rows)


def causes(cells: Named) -> str:
    """Without the intersections, which have few persons."""
    rows = [
        (name, *covariate_row(effect), share(cell["mass"]), share(effect["equal"]))
        for name, cell in cells
        for effect in cell["causes"]
        if "(" not in name and beyond_chance(effect)
    ]
    head = ("covariate", "mean difference", "points per standard deviation", "attention", "at equal values")
    return table((GROUPS, *head), rows) if rows else "No covariate has an effect on attention beyond chance."


def gaze(found: Sequence[Data]) -> str:
    rows = [(f"{one['set']}, {one['group']}", *position(one)) for one in found]
    return table(("", "people", "point on head, %", "on body", "beside", "attention on head"), rows)


def detection(network: str, found: Data) -> str:
    """`found`: from report/detection.py."""
    tables = (
        table(found_faces.DIFFERENCES, found_faces.difference_rows(found)),
        table(found_faces.GROUPS, found_faces.group_rows(found)),
    )
    return "\n\n".join((found_faces.sentence(network, found), *tables))


def changes(found: Data) -> str:
    rows = [
        (_named(one), str(one["people"]), share(one["point"]), share(one["mass"]))
        for one in found["against_itself"]
    ]
    heads = [(_named(one), *on_head(one)) for one in found["off_the_face"]]
    return "\n\n".join(
        (
            table(("changed : plain", "people", "point, % to the changed one", "attention, %"), rows),
            table(
                ("beside the face", "point on the head, %", "darker skin (ITA, estimated)", "lighter skin"),
                heads,
            ),
        )
    )


def _named(one: Data) -> str:
    return f"{one['set']}, {one['name']}" if one.get("set") else str(one["name"])


def crowd(found: Crowd) -> str:
    window, centre = share(found.kept_window.json()), share(found.kept_centre.json())
    summary = (
        f"{found.pictures} photographs, {found.faces:,} faces. The most salient point is on a head in "
        f"{share(found.on_head.json())} %; faces whole in crops of 1:1 and 9:16: {window} % by the window, {centre} % "
        "by the centre crop."
    )
    head = "people", "photographs", "faces whole by the window, %", "by the centre crop, %"
    return "\n\n".join(
        (
            summary,
            table(("of two faces, one standard deviation more of", "points of attention"), slope_rows(found)),
            table(head, rows_by_number(found)),
        )
    )


def moves(rows: Sequence[Row]) -> str:
    """Rows of `stability` or `compare`."""
    return table(HEAD, [row_cells(row) for row in rows])
