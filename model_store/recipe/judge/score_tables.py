"""The tables of the model card, as Markdown, from what the stages measured."""

from typing import Any

from model_store.recipe import metrics
from model_store.recipe.judge.scores import Row

COLUMNS = {
    "nss": ("NSS", 2),
    "cc": ("CC", 3),
    "kl": ("KL", 3),
    "sim": ("SIM", 3),
    "auc_judd": ("AUC-Judd", 3),
    "faces_whole": ("faces whole, %", 0),
    "faces_cut": ("faces cut, %", 1),
    "large_faces_cut": ("large faces cut, %", 0),
    "share_of_half": ("of half's gain, %", 0),
    "people": ("worth people", 1),
}


def ranked(rows: dict[str, Row]) -> dict[str, Row]:
    """The best crop score first."""
    return dict(sorted(rows.items(), key=lambda item: -item[1]["crop_score"]))


def scores(result: dict[str, Any]) -> str:
    """Every cropper, and half of the people."""
    head = ["crop score (95 %)", "retained", "> 10 below centre, %", "off-centre"]
    head += [title for title, _ in COLUMNS.values()]
    lines = ["| | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    half, alone = result["people"]["half"], result["people"]["leave_one_out"]
    people = half | {"nss": alone["nss"], "auc_judd": alone["auc_judd"], "share_of_half": 100}
    rows = ranked(result["rows"]) | {"half of the people (NSS, AUC: all but one)": people}
    for name, row in rows.items():
        low_high = "({:.0f}..{:.0f})".format(*row["interval"]) if "interval" in row else ""
        cells = [
            f"{row['crop_score']:.1f} {low_high}".rstrip(),
            f"{row['retained']:.1f}",
            f"{row['below_centre']:.1f}",
            f"{row['off_centre']:.0f}",
        ]
        for key, (_, digits) in COLUMNS.items():
            value = row.get(key)
            cells.append("-" if value is None else f"{value:.{digits}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def per_set(found: dict[str, Any]) -> str:
    """Crop score per collection and ratio."""
    rows = ranked(found["rows"])
    sets = list(next(iter(rows.values()))["sets"])
    head = [*sets, *metrics.RATIOS]
    lines = ["| | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    for name, row in rows.items():
        values = [row["sets"].get(one) for one in sets] + [row["ratios"].get(one) for one in metrics.RATIOS]
        lines.append(f"| {name} | " + " | ".join("-" if v is None else f"{v:.0f}" for v in values) + " |")
    return "\n".join(lines)


def stability(found: dict[str, Any]) -> str:
    """Crops moved by each change, and scores under harm."""
    rows = {name: row for name, row in ranked(found["rows"]).items() if "moved" in row}
    first = next(iter(rows.values()), None)
    if first is None:
        return ""
    # key of a row, what its columns are called, what there is in it
    groups = (("moved", "moved, {}, %"), ("moved_large", "large, {}, %"), ("harmed", "crop score, {}"))
    columns = [(key, one, text.format(one)) for key, text in groups for one in first.get(key, ())]
    head = [title for _, _, title in columns]
    lines = ["| | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    for name, row in rows.items():
        values = [row.get(key, {}).get(one) for key, one, _ in columns]
        lines.append(f"| {name} | " + " | ".join("-" if v is None else f"{v:.1f}" for v in values) + " |")
    return "\n".join(lines)


def networks(stored: dict[str, Any]) -> str:
    """What the manifest says of each file."""
    lines = ["| file | MB | parameters | multiply-adds, G | parity with |", "|---|---|---|---|---|"]
    for entry in stored["networks"].values():
        for kind, file in entry["files"].items():
            parity = entry["parity"]
            said = (
                f"torch: {parity['torch_fp32']:.0e} of the maximum"
                if kind == "fp32"
                else f"fp32: {parity['fp32_int8']:.3f} total variation"
            )
            lines.append(
                f"| `{file['file']}` | {file['bytes'] / 1e6:.2f} | {entry['parameters']:,} "
                f"| {entry['multiply_adds'] / 1e9:.3f} | {said} |"
            )
    return "\n".join(lines)


def pruning(log: list[dict[str, Any]], distilled: dict[str, Any]) -> str:
    log = log + [
        {"name": f"{one['start']} distilled, {one['epochs']} epochs", **one} for one in distilled.values()
    ]
    lines = ["| step | multiply-adds, G | crop score | NSS | CC | KL |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {one['name']} | {one['multiply_adds'] / 1e9:.3f} | {one['crop']:.1f} | {one['nss']:.3f} "
        f"| {one['cc']:.3f} | {one['kl']:.3f} |"
        for one in log
    ]
    return "\n".join(lines)


def speed(found: dict[str, Any]) -> str:
    lines = [
        "| one thread | CPU ms | times as fast as Twitter's network | multiply-adds, G |",
        "|---|---|---|---|",
    ]
    for name, one in found.items():
        cost = f"{one['multiply_adds'] / 1e9:.3f}" if "multiply_adds" in one else "-"
        lines.append(f"| {name} | {one['ms']:.1f} | {one['faster']:.1f} | {cost} |")
    return "\n".join(lines)


def leave_out(found: dict[str, Any]) -> str:
    lines = [
        "| left out of training | network | crop score (95 %) | > 10 below centre, % | pictures |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {kind} | {one['crop_score']:.1f} ({one['interval'][0]:.0f}..{one['interval'][1]:.0f}) "
        f"| {one['below_centre']:.1f} | {one['pictures']} |"
        for name, kinds in found.items()
        for kind, one in kinds.items()
    ]
    return "\n".join(lines)


def folds(found: list[dict[str, Any]]) -> str:
    lines = [
        "| weight of NSS | share of human gaze | temperature | crop score | NSS | CC | KL |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['setting']['nss']} | {one['setting']['human']} | {one['setting']['temperature']} "
        f"| {one['crop']:.1f} | {one['nss']:.3f} | {one['cc']:.3f} | {one['kl']:.3f} |"
        for one in found
    ]
    return "\n".join(lines)
