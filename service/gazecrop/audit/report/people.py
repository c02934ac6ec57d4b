"""The report of the studies of people, for readers who do not program; from the data of report.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from gazecrop.audit.report import detection
from gazecrop.audit.report.html import Provenance, render
from gazecrop.audit.report.pair_tables import named, pair_context
from gazecrop.audit.report.people_data import excludes_parity
from gazecrop.audit.report.person_tables import change_context, gaze_rows

Data = dict[str, Any]
Pictures = Sequence[tuple[bytes, str]]

# With Twitter's network, its most salient point and pictures of WikiCelb.
PAPER = "women over men 8 points, white over black people 4, white over black women 7, white over black men 2"


def html(data: Data, provenance: Provenance, pictures: Mapping[str, Pictures] | None = None) -> str:
    """`data`: from `people_audit`. `pictures`: by set, JPEGs of the joins with the largest gaps and their captions."""
    networks: list[str] = data["networks"]
    return render(
        "people.html",
        provenance,
        title="Which people do the crops favour?",
        lead=_lead(data),
        networks=networks,
        sets=[
            pair_context(each, networks) | {"pictures": (pictures or {}).get(each["set"], ())}
            for each in data["sets"]
            if each["cells"]
        ],
        gaze=gaze_rows(data["gaze"], networks),
        detection=_detection(data["detection"], networks),
        recall_heads=(detection.GROUPS, detection.DIFFERENCES),
        changes=change_context(data["changes"], networks),
        layouts=data["asked"]["layouts"],
        count=data["asked"]["count"],
        paper=PAPER,
    )


def _detection(found: Data, networks: Sequence[str]) -> list[Data]:
    """By network: the tables and a sentence. Without tables: it has no objects."""
    some = [(network, found[network]) for network in networks if network in found]
    return [
        {
            "sentence": detection.sentence(network, one) if one else f"{network} has no objects.",
            "groups": detection.group_rows(one) if one else [],
            "differences": detection.difference_rows(one) if one else [],
        }
        for network, one in some
    ]


def _lead(data: Data) -> str:
    if not any(each["cells"] for each in data["sets"]):
        return "Which parts of a picture attract the crop, and which changes move it."
    network = data["networks"][0]
    sentences = [f"Pictures of two people were cropped by {network}. An even split is 50 to 50."]
    for each in data["sets"]:
        cells = [found for cell in each["cells"] if (found := cell["networks"].get(network, {})).get("pairs")]
        if not cells:
            continue
        gaps = [100 * abs(cell["mass"]["mean"] - 0.5) for cell in cells]
        far = [100 * abs(cell["point"]["mean"] - 0.5) for cell in cells]
        significant = sum(excludes_parity(cell["point"]) for cell in cells)
        sentences.append(
            f"{named(each['set'])}: the first group's share of attention is within {max(gaps):.1f} points of an even "
            f"split in all {len(cells)} comparisons; its share of the most salient point is up to {max(far):.0f} "
            f"points from it, in {significant} of {len(cells)} beyond chance."
        )
    return " ".join(sentences)
