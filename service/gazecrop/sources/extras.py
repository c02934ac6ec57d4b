"""Modules that need an extra, imported only where a setting asks for them."""

import importlib
from typing import Any

from gazecrop.errors import GazecropError


def load(module: str, extra: str, setting: str) -> Any:
    """The module of this name. Raises GazecropError, for the log, where the extra is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        how = f"pip install '.[{extra}]' in the checkout; EXTRA=sources for an image"
        raise GazecropError(log=f"{setting} needs the extra [{extra}] ({how}): {error}") from None
