"""Modules that need an extra, imported only where a setting asks for them."""

import importlib
from typing import Any

from gazecrop.errors import GazecropError


def load(module: str, extra: str, setting: str) -> Any:
    """The module of this name. Raises GazecropError, for the log, where the extra is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise GazecropError(
            log=f"{setting} needs the extra [{extra}] (pip install 'gazecrop[{extra}]'): {error}"
        ) from None
