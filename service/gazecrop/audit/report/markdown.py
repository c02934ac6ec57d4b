"""Markdown tables, and marked parts of a page. Pure."""

import re
from collections.abc import Mapping, Sequence


def fill(text: str, parts: Mapping[str, str]) -> str:
    """Replaces the text between <!-- NAME --> and <!-- /NAME -->. Raises KeyError if the text has no such marks."""
    for name, content in parts.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise KeyError(name)
        text = pattern.sub(lambda found, new=content: f"{found[1]}{new}\n{found[2]}", text)  # type: ignore[misc]
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
