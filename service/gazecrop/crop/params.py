"""Parses the query parameters of crops, for all endpoints alike. All errors are reported together."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from gazecrop.crop.cropping import CAREFUL, POLICIES, Options, Policy
from gazecrop.crop.fields import FORMS
from gazecrop.crop.objects import KINDS, Kind
from gazecrop.crop.overlay import MOST_OVERLAYS
from gazecrop.crop.placing import Constraint
from gazecrop.crop.ratios import Ratio, parse_ratio, parse_ratios
from gazecrop.crop.zooming import LEAST_FILL, MOST_FILL, AutoZoom
from gazecrop.errors import BadParameters

MOST_CONSTRAINTS = 16  # of each kind
CACHED_CHARACTERS = 256  # a longer query is parsed each time
CROPPING = frozenset(
    {
        "ratios",
        "policy",
        "careful",
        "zoom",
        "keep",
        "avoid",
        "candidates",
        "protect",
        "fill",
        "align",
        "fields",
        "overlay",
    }
)
_DECIMAL = re.compile(r"\d{1,6}(\.\d{1,9})?|\.\d{1,9}", re.ASCII)
_ALIASES = {"center": "centre"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A parsed query. `extra`: the parameters other than those of a crop, as sent."""

    ratios: tuple[Ratio, ...]
    options: Options
    extra: dict[str, str]

    def of(self, ratio: Ratio) -> "Wanted":
        """The same options for one ratio."""
        return Wanted((ratio,), self.options, self.extra)

    def at_least(self, width: int | None, height: int | None) -> "Wanted":
        """The same, with boxes of `zoom=auto` that have as many pixels as the output."""
        auto = self.options.auto_zoom
        if auto is None:
            return self
        options = replace(self.options, auto_zoom=replace(auto, pixels=(width or 1, height or 1)))
        return replace(self, options=options)


def parse(query: str, allowed: frozenset[str] = CROPPING) -> Wanted:
    """Parses a raw query string. Raises BadParameters with every wrong parameter in `errors`."""
    return _parse_cached(query, allowed) if len(query) < CACHED_CHARACTERS else _parse(query, allowed)


def _parse(query: str, allowed: frozenset[str]) -> Wanted:
    wanted, errors = _parse_collecting(query, allowed)
    if errors:
        raise BadParameters(errors)
    return wanted


def parse_collecting_errors(query: str, allowed: frozenset[str]) -> tuple[Wanted, list[dict[str, Any]]]:
    """As `parse`, but returns the errors, for callers that parse further parameters from `extra` and report all errors
    together. Raises BadParameters only for a query string that cannot be decoded."""
    if len(query) < CACHED_CHARACTERS:
        with suppress(BadParameters):
            return _parse_cached(query, allowed), []
    return _parse_collecting(query, allowed)


def _parse_collecting(query: str, allowed: frozenset[str]) -> tuple[Wanted, list[dict[str, Any]]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError:
        raise BadParameters.one(
            "query", "The query string cannot be decoded: it is UTF-8 with at most 64 parameters."
        ) from None
    errors: list[dict[str, Any]] = []
    values: dict[str, str] = {}
    constraints: list[Constraint] = []
    overlays: list[Constraint] = []
    listed: list[str] = []
    for name, value in pairs:
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            errors.append(
                {"parameter": name[:40], "detail": f"{name[:40]!r} is not a parameter here ({known})."}
            )
        elif name in ("keep", "avoid"):
            _parse_box(name, value, constraints, errors)
        elif name == "overlay":
            _parse_box(name, value, overlays, errors)
        elif name == "ratios":
            listed.append(value)
        elif name in values:
            errors.append({"parameter": name, "detail": f"{name} is given more than once."})
        else:
            values[name] = value
    wanted = _collect(parse_ratios, ",".join(listed), errors, default=[])
    zoom = values.pop("zoom", "1")
    options = Options(
        policy=_collect(_policy, values.pop("policy", "auto"), errors, default="auto"),
        zoom=_collect(_zoom, "1" if zoom == "auto" else zoom, errors, default=Fraction(1)),
        constraints=tuple(constraints),
        overlays=tuple(overlays),
        candidates=_collect(_candidates, values.pop("candidates", "1"), errors, default=1),
        protect=_collect(_protect, values.pop("protect", ",".join(KINDS)), errors, default=KINDS),
        auto_zoom=_auto_zoom(zoom == "auto", values, errors),
        fields=_collect(_fields, values.pop("fields", ""), errors, default=()),
        careful=_collect(_careful, values.pop("careful", str(CAREFUL)), errors, default=CAREFUL),
    )
    if options.auto_zoom and options.auto_zoom.align and options.policy not in ("auto", "focus"):
        detail = f"align is of the policies auto and focus, not of {options.policy}."
        errors.append({"parameter": "align", "detail": detail})
    return Wanted(tuple(wanted), options, values), errors


# Real traffic repeats a few queries; parsing one takes 1/4 of the time of a crop's answer.
_parse_cached = lru_cache(maxsize=1024)(_parse)


def _collect(
    parse_value: Callable[[str], Any], value: str, errors: list[dict[str, Any]], default: Any
) -> Any:
    try:
        return parse_value(value)
    except BadParameters as error:
        errors.extend(error.members["errors"])
        return default


def _policy(value: str) -> Policy:
    value = _ALIASES.get(value, value)
    if value not in POLICIES:
        raise BadParameters.one("policy", f"The policies are {', '.join(POLICIES)}.", received=value[:40])
    return value


def _zoom(value: str) -> Fraction:
    zoom = Fraction(value) if _DECIMAL.fullmatch(value) else Fraction(0)
    if not 1 <= zoom <= 4:
        raise BadParameters.one("zoom", "The zoom is a number from 1 to 4, or auto.", received=value[:40])
    return zoom


def _auto_zoom(wanted: bool, values: dict[str, str], errors: list[dict[str, Any]]) -> AutoZoom | None:
    given = {name: values.pop(name) for name in ("fill", "align") if name in values}
    if not wanted:
        errors += [{"parameter": name, "detail": f"{name} needs zoom=auto."} for name in given]
        return None
    auto = AutoZoom()
    return AutoZoom(
        _collect(_fill, given["fill"], errors, default=auto.fill) if "fill" in given else auto.fill,
        _collect(_align, given["align"], errors, default=None) if "align" in given else None,
    )


def _fill(value: str) -> Fraction:
    fill = Fraction(value) if _DECIMAL.fullmatch(value) else Fraction(0)
    if not LEAST_FILL <= fill <= MOST_FILL:
        raise BadParameters.one("fill", "fill is a number from 0.3 to 0.9.", received=value[:40])
    return fill


def _align(value: str) -> tuple[float, float]:
    parts = [part.strip() for part in value.split(",")]
    if len(parts) != 2 or not all(_DECIMAL.fullmatch(part) and float(part) <= 1 for part in parts):
        detail = "align is x,y in fractions of the crop, for example align=0.5,0.4."
        raise BadParameters.one("align", detail, received=value[:40])
    return float(parts[0]), float(parts[1])


def _careful(value: str) -> float:
    least = float(value) if _DECIMAL.fullmatch(value) else 0.0
    if not 0.5 <= least <= 0.99:
        detail = "The least chance of beating the centre crop is a number from 0.5 to 0.99."
        raise BadParameters.one("careful", detail, received=value[:40])
    return least


def _candidates(value: str) -> int:
    if value not in {"1", "2", "3", "4", "5"}:
        raise BadParameters.one("candidates", "The candidates are 1 to 5.", received=value[:40])
    return int(value)


def _protect(value: str) -> tuple[Kind, ...]:
    names = [] if value == "none" else value.split(",")
    if any(name not in KINDS for name in names) or len(set(names)) < len(names):
        detail = f"What is protected is none, or any of {', '.join(KINDS)}, comma-separated."
        raise BadParameters.one("protect", detail, received=value[:40])
    return tuple(kind for kind in KINDS if kind in names)


def _fields(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",")) if value else ()
    if not set(names) <= FORMS.keys() or len(set(names)) < len(names):
        detail = f"fields are any of {', '.join(FORMS)}, comma-separated."
        raise BadParameters.one("fields", detail, received=value[:40])
    return names


def _parse_box(name: str, value: str, constraints: list[Constraint], errors: list[dict[str, Any]]) -> None:
    most = MOST_OVERLAYS if name == "overlay" else MOST_CONSTRAINTS
    if sum(one.kind == name for one in constraints) == most:
        detail = f"At most {most} overlays." if name == "overlay" else f"At most {most} boxes to {name}."
        errors.append({"parameter": name, "detail": detail, "limit": most})
        return
    parts = [part.strip() for part in value.split(",")]
    if len(parts) == 4 and all(_DECIMAL.fullmatch(part) for part in parts):
        x, y, width, height = map(float, parts)
        if width > 0 and height > 0 and x + width <= 1 + 1e-9 and y + height <= 1 + 1e-9:
            constraints.append(Constraint(name, x, y, width, height))
            return
    of = "crop" if name == "overlay" else "picture"
    detail = (
        f"{name} is x,y,width,height in fractions of the {of}, inside it, for example {name}=0.2,0.1,0.3,0.4."
    )
    errors.append({"parameter": name, "detail": detail, "received": value[:60]})


@lru_cache(maxsize=1024)
def one_ratio(text: str) -> Ratio:
    """Parses the ratio of a URL's path. Raises BadParameters."""
    try:
        return parse_ratio(text)
    except ValueError as error:
        raise BadParameters.one("ratio", str(error), received=text[:40]) from None
