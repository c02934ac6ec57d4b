"""Stage 8, card: the plots and the tables of model_store/README.md, drawn from what the stages measured.

    python -m model_store.recipe.card             # figures/*.svg, and the text between the markers of README.md
    python -m model_store.recipe.card --worst=10  # also draws the worst pictures of "val" into the work folder

A table or plot whose stage was not run is left out, never filled by hand.
"""

import json
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from model_store.recipe import data, metrics
from model_store.recipe.evaluate import Judged, encoded_pictures, map_pairs, network_maps, table
from model_store.recipe.export import manifest
from model_store.recipe.options import STORE, parse

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "gazecrop"  # the same figures give the same files
from matplotlib import pyplot as plt  # noqa: E402


@dataclass(frozen=True)
class Options:
    name: str = ""  # of the network; empty: the default one
    worst: int = 0
    smoke: bool = False


def plot_pruning(log: list[dict[str, Any]], distilled: dict[str, Any], path: Path) -> None:
    """Multiply-adds against crop score and NSS: the rounds, the same distilled, the thin control."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    rounds = [one for one in log if one["name"].startswith("prune-")]
    for axis, key, label in zip(axes, ("crop", "nss"), ("crop score", "NSS"), strict=True):
        axis.plot(
            [one["multiply_adds"] / 1e9 for one in rounds], [one[key] for one in rounds], "o-", label="pruned"
        )
        after = sorted((one["multiply_adds"] / 1e9, one[key]) for one in distilled.values())
        axis.plot([x for x, _ in after], [y for _, y in after], "s", label="distilled")
        thin = [one for one in log if one["name"] == "thin"]
        for one in thin:
            axis.plot(one["multiply_adds"] / 1e9, one[key], "x", label="uniformly thinner")
        axis.set(xlabel="multiply-adds per picture, G", ylabel=f"{label} on val")
        axis.grid(alpha=0.3)
        axis.legend()
    save(figure, path)


def plot_reliability(stored: dict[str, Any], path: Path) -> None:
    """Confidence against how often it was right, on "val"."""
    figure, axis = plt.subplots(figsize=(4, 3.6))
    mean, share, count = np.array(stored["bins"]).T
    axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axis.plot(mean, share, "o-")
    for x, y, n in zip(mean, share, count, strict=True):
        axis.annotate(f"{n:.0f}", (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axis.set(
        xlabel="confidence", ylabel="share that kept 90 % of the best", title=f"error {stored['error']:.3f}"
    )
    axis.grid(alpha=0.3)
    save(figure, path)


def plot_people(scores: dict[str, Any], path: Path) -> None:
    """How well n people predict seven others, and where the networks are."""
    figure, axis = plt.subplots(figsize=(5, 3.4))
    curve = scores["people"]["curve"]
    axis.plot([int(n) for n in curve], list(curve.values()), "o-", label="n people")
    shown = [name for name, row in scores["rows"].items() if name.startswith("gaze") and row.get("on_seven")]
    for i, name in enumerate(shown, 1):
        axis.axhline(
            scores["rows"][name]["on_seven"], linewidth=0.9, linestyle="--", color=f"C{i}", label=name
        )
    axis.set(xlabel="people", ylabel="crop score on seven others")
    axis.grid(alpha=0.3)
    axis.legend()
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def per_set(scores: dict[str, Any]) -> str:
    """Crop score per collection and ratio, as Markdown."""
    rows = scores["rows"]
    sets = list(next(iter(rows.values()))["sets"])
    head = [*sets, *metrics.RATIOS]
    lines = ["| | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    for name, row in rows.items():
        values = [row["sets"].get(one) for one in sets] + [row["ratios"].get(one) for one in metrics.RATIOS]
        lines.append(f"| {name} | " + " | ".join("-" if v is None else f"{v:.0f}" for v in values) + " |")
    return "\n".join(lines)


def stability(scores: dict[str, Any]) -> str:
    """Crops moved by each change, and scores under harm, as Markdown."""
    rows = {name: row for name, row in scores["rows"].items() if "moved" in row}
    first = next(iter(rows.values()), None)
    if first is None:
        return ""
    moved, harmed = list(first["moved"]), list(first["harmed"])
    head = [*(f"moved, {one}, %" for one in moved), *(f"crop score, {one}" for one in harmed)]
    lines = ["| | " + " | ".join(head) + " |", "|" + "---|" * (len(head) + 1)]
    for name, row in rows.items():
        values = [row["moved"][one] for one in moved] + [row["harmed"][one] for one in harmed]
        lines.append(f"| {name} | " + " | ".join(f"{v:.1f}" for v in values) + " |")
    return "\n".join(lines)


def networks(stored: dict[str, Any]) -> str:
    """What the manifest says of each file, as Markdown."""
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
    lines = ["| one thread | CPU ms | times as fast as Twitter's network |", "|---|---|---|"]
    lines += [f"| {name} | {one['ms']:.1f} | {one['faster']:.1f} |" for name, one in found.items()]
    return "\n".join(lines)


def leave_out(found: dict[str, Any]) -> str:
    lines = [
        "| left out of training | crop score (95 %) | > 10 below centre, % | pictures |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {one['crop_score']:.1f} ({one['interval'][0]:.0f}..{one['interval'][1]:.0f}) "
        f"| {one['below_centre']:.1f} | {one['pictures']} |"
        for name, one in found.items()
    ]
    return "\n".join(lines)


def fill(text: str, marker: str, content: str) -> str:
    """Replaces what stands between <!-- marker --> and <!-- /marker -->."""
    pattern = re.compile(rf"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", re.DOTALL)
    return pattern.sub(lambda found: found[1] + content + "\n" + found[2], text)


def draw_worst(count: int, path: Path, folder: Path) -> None:
    """The pictures of "val" that lose most against the best crops, with the gaze of people in red."""
    gaze = data.read("gaze")
    judged = Judged(gaze, gaze.where("val"))
    pairs = map_pairs(network_maps(path, gaze.pixels()[judged.chosen]), judged)
    loss = np.bincount(pairs.picture, pairs.best - pairs.crop, len(judged.chosen))
    pictures = encoded_pictures(judged)
    folder.mkdir(exist_ok=True)
    for rank, i in enumerate(loss.argsort()[::-1][:count], 1):
        about = gaze.about[judged.chosen[i]]
        image = Image.open(BytesIO(pictures[about["key"]])).convert("RGB")
        pen = ImageDraw.Draw(image)
        for x, y in judged.points[i][:, :2]:
            pen.ellipse(
                [x * image.width - 2, y * image.height - 2, x * image.width + 2, y * image.height + 2], "red"
            )
        image.save(folder / f"{rank:02d}-{about['dataset']}.png")
        print(rank, about["dataset"], f"{loss[i]:.2f} of the fixations lost over all ratios")


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    store = folder if options.smoke else STORE
    figures = store / "figures"
    figures.mkdir(exist_ok=True)
    stored = manifest(store)
    name = options.name or stored["default"]
    parts = {"files": networks(stored)}

    def measured(path: Path) -> Any:
        return json.loads(path.read_text()) if path.exists() else None

    if scores := measured(store / "scores.json"):
        parts |= {"scores": table(scores), "sets": per_set(scores), "stability": stability(scores)}
        if scores["people"].get("curve"):
            plot_people(scores, figures / "people.svg")
    if log := measured(folder / "prune.json"):
        distilled = measured(folder / "distil.json") or {}
        parts["pruning"] = pruning(log, distilled)
        plot_pruning(log, distilled, figures / "pruning.svg")
    if times := measured(store / "speed.json"):
        parts["speed"] = speed(times)
    if found := measured(folder / "leave-out.json"):
        parts["leave out"] = leave_out(found)
    if reliability := measured(folder / f"reliability-{name}.json"):
        plot_reliability(reliability, figures / "reliability.svg")
    readme = store / "README.md"
    text = readme.read_text() if readme.exists() else ""
    for marker, content in parts.items():
        text = fill(text, marker, content)
    readme.write_text(text)
    if options.worst:
        draw_worst(options.worst, store / stored["networks"][name]["files"]["fp32"]["file"], folder / "worst")


if __name__ == "__main__":
    main(parse(Options))
