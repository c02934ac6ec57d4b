"""Pictures for the report: joins with their map, point and crop drawn on top."""

from collections.abc import Sequence

from gazecrop.audit.material.joins import LAYOUTS, Shape, joined, plan
from gazecrop.audit.material.portraits import Person, as_bytes
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.pairs import Outcome
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.ratios import parse_ratio
from gazecrop.picture.explain import explain

MASS = 1
SQUARE = parse_ratio("1:1")
LONG_SIDE = 420  # pixels
LAYERS = ("heat", "points", "boxes")


def drawing(picture: bytes, cropper: Cropper) -> bytes:
    """JPEG with the heat map, the most salient point and the default 1:1 crop."""
    box = cropper.crop(SQUARE, Options()).box
    points = [(point.x, point.y, point.score) for point in cropper.points[:1]]
    boxes = [("1:1", box.x, box.y, box.width, box.height)]
    return explain(
        picture, cropper.grid.levels, points, boxes, layers=LAYERS, quality=78, long_side=LONG_SIDE
    )


def largest(
    people: Sequence[Person],
    outcomes: Sequence[Outcome],
    context: Context,
    count: int = 8,
) -> list[tuple[bytes, str]]:
    """JPEGs and captions of the joins of one set whose mass is farthest from parity, each person once."""
    ranked = sorted(
        (
            (float(values[0, 0, MASS]), int(pair[0]), int(pair[1]), outcome)
            for outcome in outcomes
            for pair, values in zip(outcome.pairs, outcome.values, strict=True)
        ),
        key=lambda row: -abs(row[0] - 0.5),
    )
    used: set[int] = set()
    found: list[tuple[bytes, str]] = []
    for mass, first, second, outcome in ranked:
        if len(found) == count:
            break
        if {first, second} & used:
            continue
        used |= {first, second}
        layout = LAYOUTS[outcome.layouts[0]]
        one, other = (context.portrait(people[index]) for index in (first, second))
        picture = joined(one, other, plan(Shape.of(one), Shape.of(other), layout))
        caption = f"{outcome.cell.text}: {100 * mass:.0f} % of the attention on the first"
        cropper = Cropper(context.model.predict(picture), context.model.calibration)
        found.append((drawing(as_bytes(picture), cropper), caption))
    return found
