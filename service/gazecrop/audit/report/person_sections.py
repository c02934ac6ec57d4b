"""The report's parts on single people: where the network looks, and what draws it away. Plain data in, HTML out."""

from typing import Any

from gazecrop.audit.report.page import paragraph, section, share, table
from gazecrop.audit.report.pair_sections import mark, named
from gazecrop.audit.report.plots import Row, forest

Data = dict[str, Any]


def gaze_section(gaze: Data, networks: list[str]) -> str:
    """`gaze`: by network, as `summary.gaze_of` makes it."""
    rows = [
        (
            f"{named(one['set'])}, {one['group']}",
            network,
            str(one["people"]),
            *(share(one["point"][part]) for part in ("head", "body", "beside")),
            share(one["mass"]["head"]),
        )
        for network in networks
        for one in gaze.get(network, ())
    ]
    head = ("people", "network", "n", "point on head", "on body", "beside", "attention on head")
    return section(
        "Where on a person does it look?",
        paragraph(
            "One person to a picture: is the most salient point on the head, the body, or beside the person? In the "
            "paper about 3 in 100 fell off the head, for every gender alike, mostly onto numbers and signs. The head "
            "is the face that a face finder (or the list) gives, with hair; the body's box is estimated from it: four "
            "heads broad, from the chin down."
        ),
        table(head, rows),
    )


def changes_section(changes: Data, networks: list[str]) -> str:
    """`changes`: by network, what `changes` found: "against_itself" and "off_the_face"."""
    parts = [
        part for network in networks if network in changes for part in _of_network(network, changes[network])
    ]
    return section(
        "What draws the crop?",
        paragraph(
            "The same picture stands twice side by side, in both orders; only one of the two was changed. 50: the "
            "change draws nothing. The seated and the standing person are drawings: a hint, no finding."
        ),
        *parts,
    )


def _of_network(network: str, found: Data) -> list[str]:
    rows = [
        Row(_name(one), f"n = {one['people']}", (mark(0, one["point"]), mark(1, one["mass"])))
        for one in found["against_itself"]
    ]
    ends = "the plain one", "the changed one"
    parts = [
        f"<h3>{network}: the same person twice, once changed</h3>",
        forest(rows, ("point", "attention"), title="Share of the changed one", ends=ends),
    ]
    off = [
        (_name(one), *(_on_head(one, group) for group in ("all", "darker skin", "lighter skin")))
        for one in found["off_the_face"]
    ]
    if off:
        head = ("beside the face", "all", "darker skin (estimated)", "lighter skin (estimated)")
        parts.append(f"<h3>{network}: is the point still on the head, with something beside it?</h3>")
        parts.append(table(head, off))
    return parts


def _name(one: Data) -> str:
    return f"{one['name']} [{one['set']}]" if one.get("set") else str(one["name"])


def _on_head(one: Data, group: str) -> str:
    found = one["on_head"].get(group)
    return f"{share(found)}, n = {found['people']}" if found else "too few"
