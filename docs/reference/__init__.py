"""The pages of docs/reference that follow the code: `python -m docs.reference` writes them, a test compares them."""

from docs.reference import commands, errors, http, metrics, settings
from docs.reference.markdown import FOLDER

PAGES = {
    "settings.md": settings.page,
    "commands.md": commands.page,
    "metrics.md": metrics.page,
    "errors.md": errors.page,
    "http.md": http.page,
}

__all__ = ["FOLDER", "PAGES"]
