"""The modules that write results elsewhere than to a stream. Each needs an extra."""

from typing import Any

from gazecrop.sources.extras import load

_WRITERS = {
    "object": ("gazecrop.commands.work.sidecars", "remote"),
    "webhook": ("gazecrop.commands.work.webhooks", "sources"),
}


def writer(result: str) -> Any:
    """The module for an item of GAZECROP_WORK_RESULTS; None for one that needs none. Raises GazecropError where the
    extra is not installed."""
    return load(*_WRITERS[result], "GAZECROP_WORK_RESULTS") if result in _WRITERS else None
