"""The grammar and the profiles of aspect ratios. A ratio is width over height, held as two integers: no rounding."""

import re
from dataclasses import dataclass
from fractions import Fraction

from gazecrop.errors import BadParameters

PROFILES = {
    "square": "1:1",
    "portrait": "4:5",
    "landscape": "1.91:1",
    "og": "40:21",
    "story": "9:16",
    "phone": "6:13",
    "tablet": "3:4",
    "desktop": "16:9",
    "wide": "21:9",
    "banner": "3:1",
}
MOST = 16  # ratios in one call, the limit of Google's crop hints
WIDEST = 20  # 20:1, and 1:20

_NUMBER = r"\d{1,6}(?:\.\d{1,6})?"
_RATIO = re.compile(rf"({_NUMBER})(?::({_NUMBER}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ratio:
    """`numerator / denominator` = width / height, exactly; `text` as written by the caller, profiles resolved."""

    text: str
    numerator: int
    denominator: int
    profile: str | None = None

    def __str__(self) -> str:
        return self.text

    @property
    def value(self) -> float:
        return self.numerator / self.denominator


def parse_ratio(text: str) -> Ratio:
    """Reads `16:9`, `1.91:1`, `1.7778` or a profile's name. Raises ValueError with a sentence for the client."""
    name = text.strip()
    match = _RATIO.fullmatch(PROFILES.get(name, name))
    if match is None:
        raise ValueError(
            f"{text[:40]!r} is neither width:height, nor a number, nor one of {', '.join(PROFILES)}."
        )
    width, height = Fraction(match[1]), Fraction(match[2] or 1)
    if not width or not height:
        raise ValueError(f"{text[:40]!r} has a side of zero.")
    value = width / height
    if not Fraction(1, WIDEST) <= value <= WIDEST:
        raise ValueError(f"{text[:40]!r} is outside 1:{WIDEST} to {WIDEST}:1.")
    profile = name if name in PROFILES else None
    return Ratio(PROFILES.get(name, name), value.numerator, value.denominator, profile)


def parse_ratios(text: str | None, parameter: str = "ratios") -> list[Ratio]:
    """A comma-separated list; None or empty: every profile. Raises BadParameters naming each wrong entry."""
    if not text:
        return list(ALL_PROFILES)
    parts = text.split(",")
    if len(parts) > MOST:
        detail = f"At most {MOST} ratios in one call."
        raise BadParameters.one(parameter, detail, limit=MOST, received=len(parts))
    ratios, errors = [], []
    for part in parts:
        try:
            ratios.append(parse_ratio(part))
        except ValueError as error:
            errors.append({"parameter": parameter, "detail": str(error), "received": part[:40]})
    if errors:
        raise BadParameters(errors, fix="For example ratios=16:9,1.91:1,1.7778,square.")
    return ratios


def box_size(ratio: Ratio, width: int, height: int, zoom: Fraction = Fraction(1)) -> tuple[int, int]:
    """The largest box of a ratio in a picture, divided by the zoom: exact, rounded half up, at least one pixel."""
    p, q = ratio.numerator, ratio.denominator
    n, d = zoom.numerator, zoom.denominator
    if width * q > height * p:
        box = _half_up(height * p * d, q * n), _half_up(height * d, n)
    else:
        box = _half_up(width * d, n), _half_up(width * q * d, p * n)
    return min(max(box[0], 1), width), min(max(box[1], 1), height)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def simplest(low: tuple[int, int], high: tuple[int, int]) -> str:
    """The ratio of smallest terms in [low, high], both positive, as text (Stern–Brocot descent). Each end is numerator
    and denominator, which need not be in lowest terms."""
    numerator, denominator = _simplest(*low, *high)
    return f"{numerator}:{denominator}"


def _simplest(a: int, b: int, c: int, d: int) -> tuple[int, int]:
    """Of all fractions in [a/b, c/d]; on integers, since Fractions take five times as long."""
    whole = -(-a // b)
    if whole * d <= c:
        return whole, 1
    whole -= 1  # both ends are between it and the next integer: invert their fractional parts
    denominator, rest = _simplest(d, c - whole * d, b, a - whole * b)
    return whole * denominator + rest, denominator


ALL_PROFILES = tuple(parse_ratio(name) for name in PROFILES)
