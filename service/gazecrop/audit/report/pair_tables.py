"""Plots and tables of one set of pairs, for the report. Plain data in."""

from collections.abc import Iterator, Sequence
from typing import Any

from gazecrop.audit.report.numbers import gap, points, share
from gazecrop.audit.report.plots import Axis, Mark, Row, forest, shares

Data = dict[str, Any]
Cells = Sequence[Data]
Rows = list[tuple[str, ...]]

POLICY_NAMES = {
    "balanced": "balanced (the default)",
    "window": "window",
    "point": "point",
    "twitter": "point, Twitter's published rule",
    "centre": "centre crop",
    "random": "random crop",
}
KEPT = Axis(
    -0.6,
    0.6,
    0.0,
    (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6),
    ("second kept more often", "first kept more often"),
    unit="",
)


def named(set: str) -> str:
    return f"Set “{set}”" if set else "All people"


def pair_context(each: Data, networks: Sequence[str]) -> Data:
    """The variables of the template for one set. `each`: an entry of `people_data.sets_of`."""
    cells = each["cells"]
    counts = "; ".join(
        f"{column}: " + ", ".join(f"{value or 'unknown'} {count}" for value, count in values.items())
        for column, values in each["labels"].items()
    )
    return {
        "title": named(each["set"]),
        "people": each["people"],
        "faces": each["faces"],
        "counts": counts,
        "attention_plot": _attention_plot(cells, networks),
        "crops_plot": _crops_plot(cells, networks[0]),
        "numbers": [_numbers(*one) for one in _results(cells, networks)],
        "places": _places(each["first_place"]),
        "causes": _covariates(cells, networks[0]),
    }


def _results(cells: Cells, networks: Sequence[str]) -> Iterator[tuple[str, str, Data]]:
    """The cell's text, the network, and the results of cells with pairs."""
    for cell in cells:
        for network in networks:
            found = cell["networks"].get(network, {})
            if found.get("pairs"):
                yield cell["text"], network, found


def mark(series: int, estimate: Data) -> Mark:
    return Mark(series, estimate["mean"], estimate["low"], estimate["high"])


def _attention_plot(cells: Cells, networks: Sequence[str]) -> str:
    series = [f"{network}: {measure}" for network in networks for measure in ("point", "attention")]
    rows = []
    for cell in cells:
        marks, counts = [], []
        for _, network, found in _results([cell], networks):
            number = 2 * networks.index(network)
            marks += [mark(number, found["point"]), mark(number + 1, found["mass"])]
            counts.append(f"{found['pairs']:,}")
        rows.append(Row(cell["text"], f"n = {' / '.join(counts)}", tuple(marks)))
    return forest(rows, series, shares("second gets more", "first gets more"), "Share of the first group")


def _crops_plot(cells: Cells, network: str) -> str:
    rows = []
    for text, _, found in _results(cells, [network]):
        marks = [
            Mark(i, *(2 * (found["kept"][policy]["all"][end] - 0.5) for end in ("mean", "low", "high")))
            for i, policy in enumerate(POLICY_NAMES)
        ]
        rows.append(Row(text, f"n = {found['pairs']:,}", tuple(marks)))
    return forest(rows, list(POLICY_NAMES.values()), KEPT, "Kept, first minus second")


def _numbers(text: str, network: str, found: Data) -> tuple[str, ...]:
    return (
        text,
        network,
        f"{found['pairs']:,}",
        " : ".join(map(str, found["persons"])),
        share(found["point"]),
        share(found["mass"]),
        gap(found["kept"]["balanced"]["all"]),
        gap(found["kept"]["window"]["all"]),
        gap(found["kept"]["twitter"]["all"]),
    )


def _places(places: Data) -> Rows:
    return [
        (f"{network}, {layout}", share(found["point"]), share(found["mass"]))
        for network, layouts in places.items()
        for layout, found in layouts.items()
    ]


def _covariates(cells: Cells, network: str) -> Rows:
    return [
        (text, *covariate_row(effect), share(found["mass"]), share(effect["equal"]))
        for text, _, found in _results(cells, [network])
        for effect in found["causes"]
        if beyond_chance(effect)
    ]


def covariate_row(effect: Data) -> tuple[str, str, str]:
    """Name, mean difference, points per standard deviation."""
    return effect["name"], f"{effect['difference']:+.2f}", points(effect["slope"])


def beyond_chance(effect: Data) -> bool:
    """The interval of the slope excludes 0."""
    return bool(effect["slope"]["low"] > 0 or effect["slope"]["high"] < 0)
