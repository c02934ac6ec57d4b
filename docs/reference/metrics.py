"""Metrics: name, type, labels and help of each."""

from docs.reference.markdown import made_by, table
from gazecrop.metrics import Metrics


def page() -> str:
    registry = Metrics().registry
    rows = []
    for collector in registry._collector_to_names:
        name = getattr(collector, "_name", "")
        if not name:
            continue
        kind = type(collector).__name__.lower()
        suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)  # type: ignore[attr-defined]
        rows.append((f"`{name}{suffix}`", kind, labels or "-", collector._documentation))  # type: ignore[attr-defined]
    return (
        made_by("service/gazecrop/metrics.py")
        + "# Metrics\n\nAt `/metrics`, in the Prometheus text format or OpenMetrics by `Accept`.\n"
        "With `GAZECROP_METRICS_KEY` it needs that key.\n"
        "`process_*` of the Prometheus client are there, too (CPU, memory, file descriptors).\n\n"
        + table(("metric", "type", "labels", "meaning"), rows)
        + "\nA histogram has `_bucket`, `_sum` and `_count`. Alerts on them: [runbooks](../runbooks/README.md).\n"
    )
