"""The tables of the model card, as Markdown, from the figures that the stages wrote."""

from collections.abc import Iterable
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


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    """Markdown of a table: its column titles, and a list of cells per row."""
    rule = "|" + "---|" * len(head)
    return "\n".join([_line(head), rule, *(_line(row) for row in rows)])


def _line(cells: list[str]) -> str:
    # An empty cell takes one space, not two: the tables of the card stay as they are.
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


def ranked(rows: dict[str, Row]) -> dict[str, Row]:
    """The rows in the order of their crop scores, the best first."""
    return dict(sorted(rows.items(), key=lambda item: -item[1]["crop_score"]))


def scores(result: dict[str, Any]) -> str:
    """All metrics: a row per cropper, and one for half of the observers."""
    head = ["", "crop score (95 %)", "retained", "> 10 below centre, %", "off-centre"]
    head += [title for title, _ in COLUMNS.values()]
    lines = []
    half, alone = result["people"]["half"], result["people"]["leave_one_out"]
    people = half | {"nss": alone["nss"], "auc_judd": alone["auc_judd"], "share_of_half": 100}
    rows = ranked(result["rows"]) | {"half of the people (NSS, AUC: all but one)": people}
    for name, row in rows.items():
        low_high = "({:.0f}..{:.0f})".format(*row["interval"]) if "interval" in row else ""
        cells = [
            name,
            f"{row['crop_score']:.1f} {low_high}".rstrip(),
            f"{row['retained']:.1f}",
            f"{row['below_centre']:.1f}",
            f"{row['off_centre']:.0f}",
        ]
        for key, (_, digits) in COLUMNS.items():
            value = row.get(key)
            cells.append("-" if value is None else f"{value:.{digits}f}")
        lines.append(cells)
    return _table(head, lines)


def per_set(found: dict[str, Any]) -> str:
    """Crop score per collection and ratio."""
    rows = ranked(found["rows"])
    sets = list(next(iter(rows.values()))["sets"])
    lines = []
    for name, row in rows.items():
        values = [row["sets"].get(one) for one in sets] + [row["ratios"].get(one) for one in metrics.RATIOS]
        lines.append([name, *("-" if v is None else f"{v:.0f}" for v in values)])
    return _table(["", *sets, *metrics.RATIOS], lines)


def stability(found: dict[str, Any]) -> str:
    """Percent of the crops that each change moves, and the crop scores of pictures made worse."""
    rows = {name: row for name, row in ranked(found["rows"]).items() if "moved" in row}
    first = next(iter(rows.values()), None)
    if first is None:
        return ""
    # Key of a row's group of figures, and the title of its columns.
    groups = (("moved", "moved, {}, %"), ("moved_large", "large, {}, %"), ("harmed", "crop score, {}"))
    columns = [(key, one, text.format(one)) for key, text in groups for one in first.get(key, ())]
    lines = []
    for name, row in rows.items():
        values = [row.get(key, {}).get(one) for key, one, _ in columns]
        lines.append([name, *("-" if v is None else f"{v:.1f}" for v in values)])
    return _table(["", *(title for _, _, title in columns)], lines)


def networks(stored: dict[str, Any]) -> str:
    """Size, cost and parity of each file of the manifest."""
    lines = []
    for entry in stored["networks"].values():
        for kind, file in entry["files"].items():
            parity = entry["parity"]
            difference = (
                f"torch: {parity['torch_fp32']:.0e} of the maximum"
                if kind == "fp32"
                else f"fp32: {parity['fp32_int8']:.3f} total variation"
            )
            lines.append(
                [
                    f"`{file['file']}`",
                    f"{file['bytes'] / 1e6:.2f}",
                    f"{entry['parameters']:,}",
                    f"{entry['multiply_adds'] / 1e9:.3f}",
                    difference,
                ]
            )
    return _table(["file", "MB", "parameters", "multiply-adds, G", "parity with"], lines)


def pruning(log: list[dict[str, Any]], distilled: dict[str, Any]) -> str:
    log = log + [
        {"name": f"{one['start']} distilled, {one['epochs']} epochs", **one} for one in distilled.values()
    ]
    return _table(
        ["step", "multiply-adds, G", *VAL_SCORES],
        [[one["name"], f"{one['multiply_adds'] / 1e9:.3f}", *_val_scores(one)] for one in log],
    )


VAL_SCORES = ("crop score", "NSS", "CC", "KL")


def _val_scores(one: dict[str, Any]) -> list[str]:
    """Cells of VAL_SCORES, from what a stage measured on "val" (plain.py, scores)."""
    return [f"{one['crop']:.1f}", *(f"{one[key]:.3f}" for key in ("nss", "cc", "kl"))]


def speed(found: dict[str, Any]) -> str:
    lines = []
    for name, one in found.items():
        cost = f"{one['multiply_adds'] / 1e9:.3f}" if "multiply_adds" in one else "-"
        lines.append([name, f"{one['ms']:.1f}", f"{one['faster']:.1f}", cost])
    head = ["one thread", "CPU ms", "times as fast as Twitter's network", "multiply-adds, G"]
    return _table(head, lines)


def leave_out(found: dict[str, Any]) -> str:
    lines = []
    for name, kinds in found.items():
        for kind, one in kinds.items():
            score = "{:.1f} ({:.0f}..{:.0f})".format(one["crop_score"], *one["interval"])
            lines.append([name, kind, score, f"{one['below_centre']:.1f}", str(one["pictures"])])
    head = ["left out of training", "network", "crop score (95 %)", "> 10 below centre, %", "pictures"]
    return _table(head, lines)


def detection(found: dict[str, Any]) -> str:
    """Recall by size of the network's faces and text lines, of every network that has objects."""
    lines = [
        [name, size, str(row["labels"]), f"{row['precision']:g}", f"{row['recall']:.2f}"]
        for name, one in found.items()
        for size, row in one.get("detection", {"rows": {}})["rows"].items()
    ]
    return _table(["network", "longer side", "labels", "at precision", "recall"], lines)


CUT = {
    "score": "crop score",
    "under": "> 10 below centre, %",
    "faces": "faces cut, %",
    "faces <.08": "below 0.08",
    "faces .08-.16": "0.08 to 0.16",
    "faces larger": "larger",
    "text .1-.2": "text of 0.1 to 0.2",
    "text .2-.4": "text of 0.2 to 0.4",
    "heads": "heads",
    "lone": "lone faces",
}


def whole_objects(found: dict[str, Any]) -> str:
    """Gaze kept and objects cut by policy, with the network's own objects and with the detectors' boxes."""
    lines = [
        [f"{name}, {policy}", source, *(f"{measures[key]:.1f}" for key in CUT)]
        for name, one in found.items()
        for part, source in (("crops", "its own"), ("detector boxes", "the detectors'"))
        for policy, measures in one.get(part, {}).items()
    ]
    return _table(["", "objects", *CUT.values()], lines)


FOLD_SETTINGS = ("nss", "human", "temperature")


def folds(found: list[dict[str, Any]]) -> str:
    return _table(
        ["weight of NSS", "share of human gaze", "temperature", *VAL_SCORES],
        [[*(str(one["setting"][key]) for key in FOLD_SETTINGS), *_val_scores(one)] for one in found],
    )
