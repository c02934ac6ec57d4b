"""Recall of face detection by group, as data, tables and a sentence; for the report and for AUDIT.md."""

from collections.abc import Sequence
from typing import Any

from gazecrop.audit.report.numbers import points, share
from gazecrop.audit.studies.detection import BAR, LEVELS, Detection

Data = dict[str, Any]
Rows = list[tuple[str, ...]]

GROUPS = ("", "people", *(f"found at IoU {level:g}, %" for level in LEVELS))
DIFFERENCES = ("first : second", *(f"difference at IoU {level:g}, points" for level in LEVELS))


def data(found: Detection | None) -> Data | None:
    """For report.json; None for a network without objects."""
    if found is None:
        return None
    return {
        "levels": list(LEVELS),
        "groups": [
            {
                "set": one.set,
                "group": one.group,
                "people": one.people,
                "recall": [each.json() for each in one.recall],
            }
            for one in found.groups
        ],
        "differences": [
            {
                "set": one.set,
                "text": one.text,
                "fixed": one.fixed,
                "difference": [each.json() for each in one.difference],
            }
            for one in found.differences
        ],
    }


def group_rows(found: Data) -> Rows:
    """Of the table GROUPS."""
    return [
        (_named(one, one["group"]), str(one["people"]), *(share(each) for each in one["recall"]))
        for one in found["groups"]
    ]


def difference_rows(found: Data) -> Rows:
    """Of the table DIFFERENCES."""
    return [
        (_named(one, one["text"]), *(points(each) for each in one["difference"]))
        for one in found["differences"]
    ]


def sentence(network: str, found: Data) -> str:
    """The largest differences at the first of LEVELS: between two groups, and with the other label fixed."""
    if not found["differences"]:
        return f"{network}: no two groups have enough people with a known face."
    plain = [one for one in found["differences"] if not one["fixed"]]
    fixed = [one for one in found["differences"] if one["fixed"]]
    kinds = (("two groups", plain), ("groups with the other label fixed", fixed))
    parts = [f"between {name} {_largest(some)}" for name, some in kinds if some]
    return (
        f"{network}: the largest difference of recall at IoU {LEVELS[0]:g}, in points, {'; '.join(parts)}. "
        f"The bar is {100 * BAR:g} points."
    )


def _largest(some: Sequence[Data]) -> str:
    far = max(some, key=lambda one: abs(one["difference"][0]["mean"]))
    significant = sum(one["difference"][0]["low"] > 0 or one["difference"][0]["high"] < 0 for one in some)
    within = sum(abs(one["difference"][0]["mean"]) <= BAR for one in some)
    return (
        f"{points(far['difference'][0])} ({_named(far, far['text'])}), within the bar in {within} of {len(some)} "
        f"comparisons, beyond chance in {significant}"
    )


def _named(one: Data, text: str) -> str:
    return f"{one['set']}, {text}" if one["set"] else text
