"""Art direction: one crop for each width of the page, as an HTML `<picture>` (HTML Standard, section 4.8.1). The markup
is the same in gazecrop.js.

The server has no pixels, so the addresses of the cropped files come from a template of the caller's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from gazecrop.crop.answers import crop_answer, links
from gazecrop.crop.cropping import Crop, Cropper
from gazecrop.crop.placing import Box
from gazecrop.crop.ratios import MOST, Ratio, parse_ratio
from gazecrop.errors import BadParameters

WIDEST_PAGE = 10_000  # CSS pixels
LONGEST_SRC, LONGEST_ALT = 400, 400  # characters
DEFAULT_SRC = "{ratio}.jpg"
TOOLS = ("imgproxy", "iiif", "cloudinary", "thumbor")
PLACEHOLDERS = ("ratio", "x", "y", "width", "height", *TOOLS)
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_UNFIT = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")  # srcset separates at white space


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """The ratio up to a width of the page in CSS pixels; None: for every wider one."""

    ratio: Ratio
    width: int | None = None

    @property
    def media(self) -> str | None:
        return None if self.width is None else f"(max-width: {self.width}px)"


def parse_breakpoints(text: str) -> tuple[Breakpoint, ...]:
    """`story@480,1:1@1024,16:9`: each ratio with the width up to which it is used, one without for wider pages. The
    narrowest first. Raises BadParameters with every error."""
    if not text:
        detail = "breakpoints is required: for example breakpoints=story@480,1:1@1024,16:9."
        raise BadParameters.one("breakpoints", detail)
    parts = text.split(",")
    if len(parts) > MOST:
        raise BadParameters.one(
            "breakpoints", f"At most {MOST} breakpoints.", limit=MOST, received=len(parts)
        )
    found, errors = [], []
    for part in parts:
        name, at, width = part.strip().partition("@")
        try:
            ratio = parse_ratio(name)
            if at and not (width.isascii() and width.isdigit() and 1 <= int(width[:6]) <= WIDEST_PAGE):
                raise ValueError(f"{width[:40]!r} is not a width of 1 to {WIDEST_PAGE} pixels.")
            found.append(Breakpoint(ratio, int(width[:6]) if at else None))
        except ValueError as error:
            errors.append({"parameter": "breakpoints", "detail": str(error), "received": part[:40]})
    widths = [each.width for each in found]
    if not errors and (widths.count(None) != 1 or len(set(widths)) < len(widths)):
        detail = "Each width is there once, and one ratio has none: breakpoints=story@480,1:1@1024,16:9."
        errors.append({"parameter": "breakpoints", "detail": detail, "received": text[:60]})
    if errors:
        raise BadParameters(errors)
    return tuple(sorted(found, key=lambda each: WIDEST_PAGE + 1 if each.width is None else each.width))


def check_src(text: str) -> str:
    """The template of the addresses. Raises BadParameters."""
    names = [match[1] for match in _BRACES.finditer(text)]
    scheme = _SCHEME.match(text)
    problem = None
    if not 0 < len(text) <= LONGEST_SRC:
        problem = f"src has 1 to {LONGEST_SRC} characters."
    elif _UNFIT.search(text) or text.startswith(",") or text.endswith(","):
        problem = "src has no white space, and no comma at its ends: srcset would end the address there."
    elif scheme and scheme[0].lower() not in ("http:", "https:"):
        problem = "src is a relative address, or one of http or https."
    elif not set(names) <= set(PLACEHOLDERS):
        problem = f"The placeholders of src are {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}."
    if problem:
        raise BadParameters.one("src", problem, received=text[:60])
    return text


def check_alt(text: str) -> str:
    """The alternative text. Raises BadParameters."""
    if len(text) > LONGEST_ALT or any(ord(letter) < 32 and letter not in "\t\n" for letter in text):
        detail = f"alt has at most {LONGEST_ALT} characters and no control characters."
        raise BadParameters.one("alt", detail, received=text[:60])
    return text


def address(template: str, ratio: Ratio, box: Box, *, rotated: bool) -> str:
    """`template` with the values of a crop. Raises BadParameters for a tool that counts in the stored frame of a
    `rotated` file."""
    values = {"ratio": (ratio.profile or ratio.text).replace(":", "x")}
    values |= {"x": f"{box.x}", "y": f"{box.y}", "width": f"{box.width}", "height": f"{box.height}"}
    values |= links(box, rotated=rotated)

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            detail = f"{{{match[1]}}} counts in the stored frame, and this file is not stored upright (EXIF)."
            raise BadParameters.one("src", detail)
        return values[match[1]]

    return _BRACES.sub(value, template)


def html(sources: Sequence[tuple[str | None, str, int, int]], alt: str) -> str:
    """`sources`: media query, address, width and height of each crop; the last one, without a query, is the img."""
    lines = ["<picture>"]
    for media, src, width, height in sources:
        size = f'width="{width}" height="{height}"'
        if media is None:
            lines.append(f'  <img src="{escape(src)}" {size} alt="{escape(alt)}">')
        else:
            lines.append(f'  <source media="{escape(media)}" srcset="{escape(src)}" {size}>')
    return "\n".join([*lines, "</picture>"])


def picture_answer(
    breakpoints: Sequence[Breakpoint], crops: Sequence[Crop], cropper: Cropper, src: str, alt: str
) -> dict[str, Any]:
    """The JSON: `html` and, for each breakpoint, its media query, address and crop. Raises BadParameters."""
    rows = rows_of(breakpoints, [crop.box for crop in crops], src, rotated=cropper.grid.rotated)
    sources = [
        {"media": row[0], "src": row[1], "crop": crop_answer(crop, cropper)}
        for row, crop in zip(rows, crops, strict=True)
    ]
    return {"html": html(rows, alt), "sources": sources}


def rows_of(
    breakpoints: Sequence[Breakpoint], boxes: Sequence[Box], src: str, *, rotated: bool
) -> list[tuple[str | None, str, int, int]]:
    """For `html`. Raises BadParameters."""
    return [
        (each.media, address(src, each.ratio, box, rotated=rotated), box.width, box.height)
        for each, box in zip(breakpoints, boxes, strict=True)
    ]
