"""The tables and sentences of AUDIT.md, in Markdown, from the results of the studies. Plain data in, text out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gazecrop.audit.commands.crowd import numbers_of
from gazecrop.audit.report.crop_moves import HEAD
from gazecrop.audit.report.crop_moves import cells as row_cells
from gazecrop.audit.report.page import gap, share
from gazecrop.audit.report.pair_sections import points
from gazecrop.audit.report.summary import excludes_parity
from gazecrop.audit.studies.bootstrap import Estimate
from gazecrop.audit.studies.crowd import Crowd
from gazecrop.audit.studies.stability import Row
from gazecrop.audit.studies.variants import VariantGap

Data = dict[str, Any]
Named = Sequence[tuple[str, Data]]  # "set, first : second", and the data of `summary.cell_of`

POLICIES = ("window", "point", "twitter", "centre", "random")


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Replaces the text between <!-- NAME --> and <!-- /NAME -->. Raises KeyError if the text has no such marks."""
    for name, content in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise KeyError(name)
        text = pattern.sub(lambda found, new=content: f"{found[1]}{new}\n{found[2]}", text)  # type: ignore[misc]
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def attention(cells: Named) -> str:
    rows = [
        (
            name,
            f"{cell['pairs']:,}",
            " : ".join(map(str, cell["persons"])),
            share(cell["point"]),
            share(cell["mass"]),
        )
        for name, cell in cells
    ]
    return table(
        ("first : second", "pairs", "persons", "point, % to the first", "attention, % to the first"), rows
    )


def kept(cells: Named) -> str:
    rows = [(name, *(gap(cell["kept"][policy]["all"]) for policy in POLICIES)) for name, cell in cells]
    return table(("first : second", "window", "point", "Twitter's rule", "centre", "random"), rows)


def others(cells: Named) -> str:
    rows = [
        (
            name,
            f"{cell['pairs']:,}",
            share(cell["point"]),
            share(cell["mass"]),
            gap(cell["kept"]["window"]["all"]),
        )
        for name, cell in cells
    ]
    return table(("first : second", "pairs", "point, %", "attention, %", "window keeps ±"), rows)


def layouts(cells: Named) -> str:
    """One column a layout."""
    names = list(cells[0][1]["layouts"])
    rows = [
        (name, f"{cell['pairs']:,}", kind, *(share(cell["layouts"][layout][key]) for layout in names))
        for name, cell in cells
        for key, kind in (("point", "point"), ("mass", "attention"))
    ]
    return table(("first : second", "pairs", "%", *names), rows)


def places(found: Sequence[tuple[str, Estimate, Estimate]]) -> str:
    rows = [(name, share(point.json()), share(mass.json())) for name, point, mass in found]
    return table(("to the left (upper) person", "point, %", "attention, %"), rows)


def compared(rows: Sequence[tuple[str, str, Data]]) -> str:
    """`rows`: set and groups, network, the data of `summary.cell_of`."""
    lines = [
        (
            name,
            network,
            f"{cell['pairs']:,}",
            share(cell["point"]),
            share(cell["mass"]),
            gap(cell["kept"]["window"]["all"]),
            gap(cell["kept"]["twitter"]["all"]),
        )
        for name, network, cell in rows
    ]
    head = (
        "first : second",
        "network",
        "pairs",
        "point, %",
        "attention, %",
        "window keeps ±",
        "Twitter's rule keeps ±",
    )
    return table(head, lines)


def alike(found: Sequence[VariantGap]) -> str:
    """The ablation: the gap with portraits equalised in one respect."""
    rows = []
    for left in found:
        moved = [points(each.json()) for each in left.moved] if left.moved else ["", "", ""]
        rows.append(
            (
                f"{left.cell.set}, {left.cell.text}",
                left.variant or "unchanged",
                str(left.pairs),
                share(left.point.json()),
                moved[0],
                share(left.mass.json()),
                moved[1],
                gap(left.kept.json()),
            )
        )
    head = (
        "first : second",
        "equalised",
        "pairs",
        "point, %",
        "change",
        "attention, %",
        "change",
        "window keeps ±",
    )
    return table(head, rows)


def gaze(found: Sequence[Data]) -> str:
    rows = [
        (
            f"{one['set']}, {one['group']}",
            str(one["people"]),
            *(share(one["point"][part]) for part in ("head", "body", "beside")),
            share(one["mass"]["head"]),
        )
        for one in found
    ]
    return table(("", "people", "point on head, %", "on body", "beside", "attention on head"), rows)


def changes(found: Data) -> str:
    rows = [
        (named(one), str(one["people"]), share(one["point"]), share(one["mass"]))
        for one in found["against_itself"]
    ]
    off = []
    for one in found["off_the_face"]:
        cells = [one["on_head"].get(group) for group in ("all", "darker skin", "lighter skin")]
        off.append((named(one), *(f"{share(c)}, n = {c['people']}" if c else "too few" for c in cells)))
    return (
        table(("changed : plain", "people", "point, % to the changed one", "attention, %"), rows)
        + "\n\n"
        + table(
            ("beside the face", "point on the head, %", "darker skin (ITA, estimated)", "lighter skin"), off
        )
    )


def named(one: Data) -> str:
    return f"{one['set']}, {one['name']}" if one.get("set") else str(one["name"])


def crowd(found: Crowd) -> str:
    window, centre = share(found.kept_window.json()), share(found.kept_centre.json())
    summary = (
        f"{found.pictures} photographs, {found.faces:,} faces. The most salient point is on a head in "
        f"{share(found.on_head.json())} %; faces whole in crops of 1:1 and 9:16: {window} % by the window, {centre} % "
        "by the centre crop."
    )
    slopes = [(name, points(slope.json())) for name, slope in found.slopes.items()]
    head = "people", "photographs", "faces whole by the window, %", "by the centre crop, %"
    return "\n\n".join(
        (
            summary,
            table(("of two faces, one standard deviation more of", "points of attention"), slopes),
            table(head, numbers_of(found)),
        )
    )


def causes(cells: Named) -> str:
    rows = [
        (
            name,
            cause["name"],
            f"{cause['difference']:+.2f}",
            points(cause["slope"]),
            share(cell["mass"]),
            share(cause["equal"]),
        )
        for name, cell in cells
        for cause in cell["causes"]
        if "(" not in name and (cause["slope"]["low"] > 0 or cause["slope"]["high"] < 0)
    ]
    head = (
        "first : second",
        "covariate",
        "mean difference",
        "points per standard deviation",
        "attention",
        "at equal values",
    )
    return table(head, rows) if rows else "No covariate has an effect on attention beyond chance."


def moves(rows: Sequence[Row]) -> str:
    """Rows of `stability` or `compare`."""
    return table(HEAD, [row_cells(row) for row in rows])


def short(cells: Named, beside: Sequence[tuple[str, str, Data]], left: Sequence[VariantGap]) -> str:
    """The findings in sentences, computed from the same data as the tables so that both agree."""
    lines = [
        _widest(cells, "mass", "Attention"),
        _widest(cells, "point", "The most salient point"),
        _crops(cells),
    ]
    if beside:
        lines.append(_networks(beside))
    lines += [_ablated(left, name) for name in dict.fromkeys(f"{x.cell.set}, {x.cell.text}" for x in left)]
    return "\n".join(f"- {line}" for line in lines)


def _widest(cells: Named, key: str, what: str) -> str:
    far = max(abs(100 * cell[key]["mean"] - 50) for _, cell in cells)
    sure = [f"{name} {share(cell[key])}" for name, cell in cells if excludes_parity(cell[key])]
    significant = (
        f"by more than chance in {len(sure)}: {'; '.join(sure)}" if sure else "never by more than chance"
    )
    within = f"is within {far:.1f} of 50 in {len(cells)} comparisons"
    return f"**{what}**, percent to the first group, {within}, {significant}."


def _crops(cells: Named) -> str:
    parts = []
    for policy, name in (
        ("window", "the window (the default)"),
        ("twitter", "Twitter's rule on the same map"),
        ("centre", "the centre crop"),
    ):
        gaps = [(cell["kept"][policy]["all"], of) for of, cell in cells]
        widest, of = max(gaps, key=lambda each: abs(each[0]["mean"] - 0.5))
        sure = sum(excludes_parity(each) for each, _ in gaps)
        parts.append(f"{name} {gap(widest)} at most ({of}), in {sure} of {len(gaps)} by more than chance")
    return f"**Whose face is kept whole**, in points, first minus second: {'; '.join(parts)}."


def _networks(rows: Sequence[tuple[str, str, Data]]) -> str:
    """Mean and largest gap of every network over the same comparisons."""
    parts = []
    for network in dict.fromkeys(network for _, network, _ in rows):
        mine = [cell for _, name, cell in rows if name == network]
        numbers = []
        for text, key in (("point", "point"), ("attention", "mass")):
            far = [100 * abs(cell[key]["mean"] - 0.5) for cell in mine]
            numbers.append(f"{text} {sum(far) / len(far):.1f} (at most {max(far):.1f})")
        kept = [200 * abs(cell["kept"]["window"]["all"]["mean"] - 0.5) for cell in mine]
        numbers.append(f"window {sum(kept) / len(kept):.1f} (at most {max(kept):.1f})")
        parts.append(f"{network}: {', '.join(numbers)}")
    return f"**Beside Twitter's network** on the same pairs, mean distance from parity in points: {'; '.join(parts)}."


def _ablated(left: Sequence[VariantGap], name: str) -> str:
    mine = [each for each in left if f"{each.cell.set}, {each.cell.text}" == name]
    plain = next(each for each in mine if not each.variant)
    parts = [f"{each.variant} {100 * each.point.mean:.0f}" for each in mine if each.variant]
    return (
        f"**{name}**: the point {share(plain.point.json())} for unchanged portraits; equalised in one respect: "
        f"{', '.join(parts)}."
    )
