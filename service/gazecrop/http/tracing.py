"""Switches OpenTelemetry on (GAZECROP_TRACING). `spans.py` imports its SDK and exporter, and only then. FastAPI itself
imports its API."""

from typing import TYPE_CHECKING

from gazecrop.errors import GazecropError
from gazecrop.metrics import Metrics

if TYPE_CHECKING:
    from gazecrop.http.spans import Tracing


def open_tracing(metrics: Metrics) -> "Tracing":
    """Spans that are sent by OTLP. Raises GazecropError without the extra [otel]."""
    try:
        from gazecrop.http import spans
    except ImportError as error:
        raise GazecropError(
            log=f"GAZECROP_TRACING needs the extra [otel] (pip install '.[otel]'; EXTRA=otel for an image): {error}"
        ) from None
    return spans.Tracing(metrics, spans.exporting())
