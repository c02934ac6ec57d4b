"""One HTML file that stands alone: no script, no address, pictures and plots within."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

STYLE = (Path(__file__).parent / "report.css").read_text()


def page(title: str, lead: str, sections: Sequence[str], foot: str) -> str:
    """`lead`, `foot` are text; `sections` are HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f'<p class="lead">{escape(lead)}</p>{"".join(sections)}</main><footer><p class="soft">{escape(foot)}</p>'
        "</footer></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def points(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["", *[' class="n"'] * (len(cells) - 1)]
        return "".join(
            f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{line(head, "th")}</tr></thead><tbody>{body}</tbody></table></div>'


def strip(pictures: Sequence[tuple[bytes, str]]) -> str:
    """JPEGs with what is to be said of each."""
    return (
        '<div class="strip">'
        + "".join(
            f'<figure><img alt="{escape(text)}" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
            f"<figcaption>{escape(text)}</figcaption></figure>"
            for data, text in pictures
        )
        + "</div>"
    )


def share(estimate: dict[str, float]) -> str:
    """54.1 (50.2 to 58.0), in percent."""
    return f"{100 * estimate['mean']:.1f} ({100 * estimate['low']:.1f} to {100 * estimate['high']:.1f})"


def gap(estimate: dict[str, float]) -> str:
    """A share with parity at 0.5 as a difference in points: +4.2 (-1.0 to 9.4)."""
    mean, low, high = (200 * (estimate[name] - 0.5) for name in ("mean", "low", "high"))
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"
