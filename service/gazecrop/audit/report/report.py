"""report.html: what was measured, in words for people who do not code, from the same data as report.json."""

from collections.abc import Mapping
from typing import Any

from gazecrop.audit.report.page import page, points, section
from gazecrop.audit.report.pair_sections import Pictures, named, pairs_section
from gazecrop.audit.report.person_sections import changes_section, gaze_section
from gazecrop.audit.report.summary import excludes_parity

Data = dict[str, Any]

# With Twitter's network, its most salient point and pictures of WikiCelb.
PAPER = "women over men 8 points, white over black people 4, white over black women 7, white over black men 2"


def people(data: Data, pictures: Mapping[str, Pictures] | None = None) -> str:
    """`data`: as `run_people` makes it. `pictures`: by set, joins with the largest gaps."""
    networks: list[str] = data["networks"]
    sections = [
        pairs_section(each, networks, (pictures or {}).get(each["set"], ()))
        for each in data["sets"]
        if each["cells"]
    ]
    if data.get("gaze"):
        sections.append(gaze_section(data["gaze"], networks))
    if data.get("changes"):
        sections.append(changes_section(data["changes"], networks))
    sections += [_method(data), _limits()]
    foot = f"gazecrop audit, release {data['release']}; networks: {', '.join(networks)}."
    return page("Whom do the crops favour?", _lead(data), sections, foot)


def _lead(data: Data) -> str:
    if not any(each["cells"] for each in data["sets"]):
        return "What draws the crops to a person, or away from one."
    network = data["networks"][0]
    said = []
    for each in data["sets"]:
        cells = [found for cell in each["cells"] if (found := cell["networks"].get(network, {})).get("pairs")]
        if not cells:
            continue
        gaps = [100 * abs(cell["mass"]["mean"] - 0.5) for cell in cells]
        far = [100 * abs(cell["point"]["mean"] - 0.5) for cell in cells]
        sure = sum(excludes_parity(cell["point"]) for cell in cells)
        said.append(
            f"{named(each['set'])}: the share of attention that the first of two groups gets lies within "
            f"{max(gaps):.1f} points of an even split in all {len(cells)} comparisons; the single most salient point "
            f"falls up to {max(far):.0f} points from it, in {sure} of {len(cells)} by more than chance explains."
        )
    return f"Pictures of two people were cropped by {network}. An even split is 50 to 50. " + " ".join(said)


def _method(data: Data) -> str:
    asked = data["asked"]
    lines = [
        f"Pictures of two people of two groups are joined ({', '.join(asked['layouts'])}). Scaled joins have one "
        "height (side by side) or width (one above the other); those “as is” keep their own sizes, on white.",
        "Every pair is shown in both orders, and counts once: what comes of left and right, above and below, cancels.",
        "The point is the maximum of the smoothed map; attention is the map's sum over a person's picture. A crop "
        "keeps a face when the whole box of the face is inside; where no faces are known, the kept share of the "
        "picture counts.",
        "Intervals (95 %) come of drawing persons anew 2,000 times, not pairs: one striking picture is in many pairs.",
        f"Pairs are drawn at random, {asked['count']:,} for each comparison where time and people allow; n says how "
        "many there were. Pictures of different sets are never paired.",
        "Skin tone is the angle ITA, estimated from the colours of the middle of the face in the photograph: light "
        "and camera are in it.",
        "After Yee, Tantipongpipat and Mishra 2021, arXiv 2105.08667. Their differences from parity, with Twitter's "
        f"network, its most salient point and other pictures: {PAPER}.",
    ]
    return section("How it was measured", points(lines))


def _limits() -> str:
    lines = (
        "Labels of gender and group are what others wrote down; people are more than these words, and some are wrong.",
        "Even figures are no proof of fairness: a crop can hurt one person whatever the mean over thousands is. What "
        "helps is that people can see and change every crop.",
        "Joined portraits are not the pictures of daily life; clothes, background and light differ between groups as "
        "they do in the sources, and a gap may come of these.",
        "Many comparisons are made at once: of twenty without any gap, one would seem to have one by chance.",
    )
    return section("What this cannot show", points(lines))
