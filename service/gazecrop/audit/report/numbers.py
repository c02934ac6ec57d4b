"""Estimates as text: shares in percent, gaps in points. Pure."""

from collections.abc import Mapping

Estimate = Mapping[str, float]  # mean, low, high


def share(estimate: Estimate) -> str:
    """54.1 (50.2 to 58.0), in percent."""
    return f"{100 * estimate['mean']:.1f} ({100 * estimate['low']:.1f} to {100 * estimate['high']:.1f})"


def gap(estimate: Estimate) -> str:
    """A share with parity at 0.5 as a difference in points: +4.2 (-1.0 to +9.4)."""
    mean, low, high = (200 * (estimate[name] - 0.5) for name in ("mean", "low", "high"))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def points(estimate: Estimate) -> str:
    """A change of a share in points: +1.2 (-0.3 to +2.7)."""
    return f"{100 * estimate['mean']:+.1f} ({100 * estimate['low']:+.1f} to {100 * estimate['high']:+.1f})"
