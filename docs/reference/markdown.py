"""Tables and cells in Markdown."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent


def made_by(module: str) -> str:
    """The first line of a page."""
    return f"<!-- Made from {module} by `python -m docs.reference`: edit that instead. -->\n\n"


def cell(text: object) -> str:
    """One line, without what would end the cell."""
    return re.sub(r"\s+", " ", str(text)).strip().replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"
