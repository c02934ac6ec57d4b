"""The report's part on one set of pairs. Plain data in, HTML out."""

from collections.abc import Sequence
from typing import Any

from gazecrop.audit.report.page import gap, paragraph, section, share, strip, table
from gazecrop.audit.report.plots import Mark, Row, forest

Data = dict[str, Any]
Pictures = Sequence[tuple[bytes, str]]

POLICY_NAMES = {
    "window": "window (the default)",
    "point": "point",
    "twitter": "point, Twitter's published rule",
    "centre": "centre crop",
    "random": "random crop",
}


def named(set: str) -> str:
    return f"Set “{set}”" if set else "These people"


def pairs_section(each: Data, networks: list[str], pictures: Pictures) -> str:
    cells = each["cells"]
    counted = "; ".join(
        f"{column}: " + ", ".join(f"{value or 'not known'} {count}" for value, count in values.items())
        for column, values in each["labels"].items()
    )
    parts = [
        paragraph(f"{each['people']:,} pictures ({counted}); a face is known in {each['faces']:,}."),
        paragraph(
            "Each row compares two groups: right of the dashed line the first one gets more, left of it the second. "
            "The bar is the range in which 95 of 100 repetitions with other people of the same kind would fall: where "
            "it crosses the dashed line, there may be no gap at all."
        ),
        "<h3>Who gets the most salient point, and whose is the larger share of attention?</h3>",
        _forest_of_attention(cells, networks),
        "<h3>Whose face do the crops keep whole?</h3>"
        if each["faces"]
        else "<h3>Whose picture do the crops keep?</h3>",
        paragraph(
            "The difference, in points, between how often the first and the second of a pair is kept, over the "
            "ratios 1:1, 4:5, 9:16 and 16:9. The centre and the random crop look at nothing: they show what is chance "
            "or comes of the size of the pictures."
        ),
        _forest_of_crops(cells, networks[0]),
        "<h3>In numbers</h3>",
        paragraph(
            "Percent for the first group; in brackets the 95 % interval; n: pairs, each in several joins; ±: points by "
            "which the first one's face is kept whole more often."
        ),
        _numbers(cells, networks),
        _places(each["first_place"]),
        _causes(cells, networks[0]),
    ]
    if pictures:
        parts += [
            "<h3>The largest gaps</h3>",
            paragraph(
                "Warm colours: where the network expects people to look; 1: the most salient point; frame: 1:1."
            ),
            strip(pictures),
        ]
    return section(f"Pairs: {named(each['set'])}", *parts)


def mark(series: int, estimate: Data) -> Mark:
    return Mark(series, estimate["mean"], estimate["low"], estimate["high"])


def _forest_of_attention(cells: Sequence[Data], networks: list[str]) -> str:
    series = [f"{network}: {kind}" for network in networks for kind in ("point", "attention")]
    rows = []
    for cell in cells:
        marks, counts = [], []
        for number, network in enumerate(networks):
            found = cell["networks"].get(network, {})
            if found.get("pairs"):
                marks += [mark(2 * number, found["point"]), mark(2 * number + 1, found["mass"])]
                counts.append(f"{found['pairs']:,}")
        rows.append(Row(cell["text"], f"n = {' / '.join(counts)}", tuple(marks)))
    return forest(
        rows, series, title="Share of the first group", ends=("second gets more", "first gets more")
    )


def _forest_of_crops(cells: Sequence[Data], network: str) -> str:
    rows = []
    for cell in cells:
        found = cell["networks"].get(network, {})
        if found.get("pairs"):
            marks = [
                Mark(i, *(2 * (found["kept"][policy]["all"][end] - 0.5) for end in ("mean", "low", "high")))
                for i, policy in enumerate(POLICY_NAMES)
            ]
            rows.append(Row(cell["text"], f"n = {found['pairs']:,}", tuple(marks)))
    return forest(
        rows,
        list(POLICY_NAMES.values()),
        title="Kept, first minus second",
        ends=("second kept more", "first kept more"),
        axis=(-0.6, 0.6, 0.0),
        ticks=(-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6),
        unit="",
    )


def _numbers(cells: Sequence[Data], networks: list[str]) -> str:
    rows = []
    for cell in cells:
        for network in networks:
            found = cell["networks"].get(network, {})
            if found.get("pairs"):
                persons = " : ".join(map(str, found["persons"]))
                rows.append(
                    (
                        cell["text"],
                        network,
                        f"{found['pairs']:,}",
                        persons,
                        share(found["point"]),
                        share(found["mass"]),
                        gap(found["kept"]["window"]["all"]),
                        gap(found["kept"]["twitter"]["all"]),
                    )
                )
    head = (
        "groups",
        "network",
        "n",
        "persons",
        "point",
        "attention",
        "window keeps ±",
        "Twitter's rule keeps ±",
    )
    return table(head, rows)


def _places(places: Data) -> str:
    rows = [
        (f"{network}, {layout}", share(found["point"]), share(found["mass"]))
        for network, layouts in places.items()
        for layout, found in layouts.items()
    ]
    return (
        "<h3>Does it matter who is on the left, or above?</h3>"
        + paragraph(
            "What the left (or upper) one gets, whoever it is. It cancels above: every pair is shown both ways."
        )
        + table(("layout", "point", "attention"), rows)
    )


def _causes(cells: Sequence[Data], network: str) -> str:
    rows = []
    for cell in cells:
        found = cell["networks"].get(network, {})
        for cause in found.get("causes", ()):
            if cause["slope"]["low"] > 0 or cause["slope"]["high"] < 0:
                rows.append(
                    (
                        cell["text"],
                        cause["name"],
                        f"{cause['difference']:+.2f}",
                        points(cause["slope"]),
                        share(found["mass"]),
                        share(cause["equal"]),
                    )
                )
    if not rows:
        return ""
    head = ("groups", "what differs", "mean difference", "points per step", "attention", "at equal values")
    return (
        "<h3>What goes with it?</h3>"
        + paragraph(
            "Of each pair also the difference in brightness, colour below the chin, estimated skin tone, size and "
            "height of the face is known. Shown are those with which attention goes by more than chance: how many "
            "points for one step (a standard deviation), and what would be left of the gap if both groups had equal "
            "values. A relation is not yet a cause."
        )
        + table(head, rows)
    )


def points(estimate: Data) -> str:
    return f"{100 * estimate['mean']:+.1f} ({100 * estimate['low']:+.1f} to {100 * estimate['high']:+.1f})"
