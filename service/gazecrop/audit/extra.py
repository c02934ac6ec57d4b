"""The extra [audit]: Jinja2 and matplotlib for reports, httpx for Wikidata. Imported only where they are used."""

from importlib import import_module

from gazecrop.console.sources import SourceError


def require(*modules: str) -> None:
    """To call before a study that may take hours. Raises SourceError if a module is missing."""
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            raise SourceError(
                f"{module} is missing: install the extra [audit], for example pip install '.[audit]' in the checkout"
            ) from None


def require_reports() -> None:
    """Raises SourceError if reports cannot be written."""
    require("jinja2", "matplotlib")
