"""The findings of AUDIT.md in sentences, computed from the same data as its tables so that both agree."""

from collections.abc import Sequence

from gazecrop.audit.report.card_tables import Data, Named
from gazecrop.audit.report.numbers import gap, share
from gazecrop.audit.report.people_data import excludes_parity
from gazecrop.audit.studies.variants import VariantGap

POLICIES = {
    "balanced": "`balanced` (the default)",
    "window": "the window",
    "twitter": "Twitter's rule on the same map",
    "centre": "the centre crop",
}
Compared = Sequence[tuple[str, str, Data]]  # set and groups, network, the data of `people_data.cell_of`


def sentences(cells: Named, compared: Compared, ablation: Sequence[VariantGap]) -> str:
    lines = [
        _widest(cells, "mass", "Attention"),
        _widest(cells, "point", "The most salient point"),
        _crops(cells),
    ]
    if compared:
        lines.append(_networks(compared))
    lines += [_ablated(ablation, name) for name in dict.fromkeys(one.name for one in ablation)]
    return "\n".join(f"- {line}" for line in lines)


def _widest(cells: Named, key: str, what: str) -> str:
    far = max(abs(100 * cell[key]["mean"] - 50) for _, cell in cells)
    found = [f"{name} {share(cell[key])}" for name, cell in cells if excludes_parity(cell[key])]
    significant = (
        f"by more than chance in {len(found)}: {'; '.join(found)}" if found else "never by more than chance"
    )
    within = f"is within {far:.1f} of 50 in {len(cells)} comparisons"
    return f"**{what}**, percent to the first group, {within}, {significant}."


def _crops(cells: Named) -> str:
    parts = []
    for policy, name in POLICIES.items():
        gaps = [(cell["kept"][policy]["all"], groups) for groups, cell in cells]
        widest, groups = max(gaps, key=lambda each: abs(each[0]["mean"] - 0.5))
        significant = sum(excludes_parity(each) for each, _ in gaps)
        parts.append(
            f"{name} {gap(widest)} at most ({groups}), in {significant} of {len(gaps)} by more than chance"
        )
    return f"**Whose face is kept whole**, in points, first minus second: {'; '.join(parts)}."


def _networks(rows: Compared) -> str:
    """Mean and largest gap of every network over the same comparisons."""
    parts = []
    for network in dict.fromkeys(network for _, network, _ in rows):
        cells = [cell for _, name, cell in rows if name == network]
        gaps = {
            "point": [100 * abs(cell["point"]["mean"] - 0.5) for cell in cells],
            "attention": [100 * abs(cell["mass"]["mean"] - 0.5) for cell in cells],
            "window": [200 * abs(cell["kept"]["window"]["all"]["mean"] - 0.5) for cell in cells],
        }
        numbers = [f"{name} {sum(far) / len(far):.1f} (at most {max(far):.1f})" for name, far in gaps.items()]
        parts.append(f"{network}: {', '.join(numbers)}")
    return f"**Beside Twitter's network** on the same pairs, mean distance from parity in points: {'; '.join(parts)}."


def _ablated(ablation: Sequence[VariantGap], name: str) -> str:
    mine = [one for one in ablation if one.name == name]
    plain = next(one for one in mine if not one.variant)
    parts = [f"{one.variant} {100 * one.point.mean:.0f}" for one in mine if one.variant]
    return (
        f"**{name}**: the point {share(plain.point.json())} for unchanged portraits; equalised in one respect: "
        f"{', '.join(parts)}."
    )
