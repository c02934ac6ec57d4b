"""The plots of the model card, from the figures that the stages wrote."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "gazecrop"  # the same figures give the same files
from matplotlib import pyplot as plt  # noqa: E402


def pruning(log: list[dict[str, Any]], distilled: dict[str, Any], path: Path) -> None:
    """Crop score and NSS over multiply-adds: the rounds of pruning, the distilled networks, the thin control."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4))
    thin = [one for one in log if one["name"].endswith("-thin")]
    rounds = [one for one in log if one not in thin]
    for axis, key, label in zip(axes, ("crop", "nss"), ("crop score", "NSS"), strict=True):
        axis.plot(
            [one["multiply_adds"] / 1e9 for one in rounds], [one[key] for one in rounds], "o-", label="pruned"
        )
        after = sorted((one["multiply_adds"] / 1e9, one[key]) for one in distilled.values())
        axis.plot([x for x, _ in after], [y for _, y in after], "s", label="distilled")
        for one in thin:
            axis.plot(one["multiply_adds"] / 1e9, one[key], "x", label="uniformly thinner")
        axis.set(xlabel="multiply-adds per picture, G", ylabel=f"{label} on val")
        axis.grid(alpha=0.3)
        axis.legend()
    save(figure, path)


def reliability(stored: dict[str, Any], path: Path) -> None:
    """The share of crops that kept enough over the confidence, on "val"."""
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


def people(scores: dict[str, Any], path: Path) -> None:
    """Crop score of n people on seven others over n, with a line for each network."""
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
