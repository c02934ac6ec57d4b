"""Tables of single people and plots of controlled changes, for the report. Plain data in."""

from collections.abc import Sequence
from typing import Any

from gazecrop.audit.report.numbers import share
from gazecrop.audit.report.pair_tables import mark, named
from gazecrop.audit.report.plots import Row, forest, shares

Data = dict[str, Any]
GROUPS = ("all", "darker skin", "lighter skin")
AXIS = shares("the unchanged one", "the changed one")


def gaze_rows(gaze: Data, networks: Sequence[str]) -> list[tuple[str, ...]]:
    """`gaze`: by network, from `people_data.gaze_of`."""
    return [
        (
            f"{named(one['set'])}, {one['group']}",
            network,
            *position(one),
        )
        for network in networks
        for one in gaze.get(network, ())
    ]


def position(one: Data) -> tuple[str, ...]:
    """People, the point on head, body and beside, the attention on the head."""
    parts = (share(one["point"][part]) for part in ("head", "body", "beside"))
    return str(one["people"]), *parts, share(one["mass"]["head"])


def change_context(changes: Data, networks: Sequence[str]) -> list[Data]:
    """`changes`: by network, "against_itself" and "off_the_face"."""
    return [
        {"network": network, "plot": _plot(network, changes[network]), "on_head": _heads(changes[network])}
        for network in networks
        if network in changes
    ]


def _plot(network: str, found: Data) -> str:
    rows = [
        Row(_name(one), f"n = {one['people']}", (mark(0, one["point"]), mark(1, one["mass"])))
        for one in found["against_itself"]
    ]
    return forest(rows, ("point", "attention"), AXIS, f"{network}: share of the changed one")


def _heads(found: Data) -> list[tuple[str, ...]]:
    return [(_name(one), *on_head(one)) for one in found["off_the_face"]]


def on_head(one: Data) -> tuple[str, ...]:
    """By group, the share of people whose point is on the head."""
    return tuple(_with_count(one["on_head"].get(group)) for group in GROUPS)


def _name(one: Data) -> str:
    return f"{one['name']} [{one['set']}]" if one.get("set") else str(one["name"])


def _with_count(found: Data | None) -> str:
    return f"{share(found)}, n = {found['people']}" if found else "too few"
