"""Metrics: name, type, labels and help of each."""

from prometheus_client import CollectorRegistry

from docs.reference.markdown import made_by, table
from gazecrop.commands.work.metrics import WorkMetrics
from gazecrop.metrics import Metrics

HEAD = ("metric", "type", "labels", "meaning")


def page() -> str:
    registry = Metrics().registry
    of_service = len(registry._collector_to_names)
    WorkMetrics(registry)
    rows = _rows(registry)
    return (
        made_by("the classes gazecrop.metrics.Metrics and WorkMetrics of the worker")
        + "# Metrics\n\nAt `/metrics`, in the Prometheus text format or OpenMetrics by `Accept`.\n"
        "With `GAZECROP_METRICS_KEY` it needs that key.\n"
        "`process_*` of the Prometheus client are there, too (CPU, memory, file descriptors).\n\n"
        + table(HEAD, rows[: of_service - 1])
        + "\nA histogram has `_bucket`, `_sum` and `_count`. Alerts on them: [runbooks](../runbooks/README.md).\n"
        "\n## Of a worker\n\n`gazecrop work` has those above that concern pictures and the store, and these.\n\n"
        + table(HEAD, rows[of_service - 1 :])
    )


def _rows(registry: CollectorRegistry) -> list[tuple[str, str, str, str]]:
    """Without the process's own, which has no name."""
    rows = []
    for collector in registry._collector_to_names:
        name = getattr(collector, "_name", "")
        if not name:
            continue
        kind = type(collector).__name__.lower()
        suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames)  # type: ignore[attr-defined]
        rows.append((f"`{name}{suffix}`", kind, labels or "-", collector._documentation))  # type: ignore[attr-defined]
    return rows
