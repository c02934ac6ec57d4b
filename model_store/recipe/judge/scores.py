"""A row of the table of scores, and the files that store the rows: scores.json and manifest.json."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from model_store.recipe import metrics
from model_store.recipe.crops import Judged
from model_store.recipe.metrics import Pairs
from model_store.recipe.options import STORE

Row = dict[str, Any]


def crop_row(pairs: Pairs, sets: np.ndarray) -> Row:
    """The figures of a row that are computed from crops alone."""
    low, high = pairs.interval()
    return {
        "crop_score": pairs.score(),
        "interval": [low, high],
        "retained": 100 * float(pairs.crop.mean()),
        "below_centre": pairs.below(),
        "off_centre": pairs.off_centre(),
        "sets": {name: pairs.of(sets[pairs.picture] == name).score() for name in np.unique(sets)},
        "ratios": {name: pairs.of(pairs.ratio == j).score() for j, name in enumerate(metrics.NAMES)},
    }


def map_row(maps: np.ndarray, judged: Judged) -> Row:
    """The figures that are computed from maps: means of the map metrics over the pictures."""
    human = [judged.gaze.maps[i] for i in judged.chosen]
    per = [
        {
            "nss": metrics.nss(p, f),
            "auc_judd": metrics.auc_judd(p, f),
            "cc": metrics.cc(p, q),
            "kl": metrics.kl(p, q),
            "sim": metrics.sim(p, q),
        }
        for p, q, f in zip(maps, human, judged.points, strict=True)
    ]
    return {name: float(np.mean([one[name] for one in per])) for name in per[0]}


def keep(result: dict[str, Any], store: Path) -> None:
    """Writes scores.json, in which rows that this run did not make stay, and the main figures of each file in the
    manifest."""
    from model_store.recipe.make.export import manifest, update  # imports torch, which tables do not need

    path = store / "scores.json"
    before = json.loads(path.read_text())["rows"] if path.exists() else {}
    path.write_text(json.dumps(_rounded(result | {"rows": before | result["rows"]}), indent=1) + "\n")
    rows = _rounded(result["rows"])
    for name, network in manifest(store)["networks"].items():
        found = dict(network.get("scores", {}))
        for kind, file in network["files"].items():
            row = rows.get(file["file"].removesuffix(".onnx"))
            if row is not None:
                keys = ("crop_score", "interval", "below_centre", "nss", "cc", "kl", "share_of_half")
                found[kind] = {"split": "val"} | {key: row[key] for key in keys}
        update(name, {"scores": found}, default=False, store=store)


def keep_objects(network: str, found: dict[str, Any]) -> None:
    """Adds what was measured of a network's objects to objects.json beside the manifest."""
    path = STORE / "objects.json"
    stored = json.loads(path.read_text()) if path.exists() else {}
    stored[network] = stored.get(network, {}) | _rounded(found)
    path.write_text(json.dumps(stored, indent=1) + "\n")


def line(name: str, row: Row) -> str:
    score, below = row["crop_score"], row["below_centre"]
    more = f", NSS {row['nss']:.2f}" if "nss" in row else ""
    more += f", faces cut {row['faces_cut']:.1f} %" if "faces_cut" in row else ""
    return f"{name}: crop score {score:.1f}, below centre {below:.1f} %{more}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value
