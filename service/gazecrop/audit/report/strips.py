"""Pictures for the report: joins with their map, point and crop drawn over them."""

from collections.abc import Sequence

from gazecrop.audit.material.joins import LAYOUTS, Shape, joined, plan
from gazecrop.audit.material.portraits import Person, as_bytes, load_portrait
from gazecrop.audit.material.saliency_models import SaliencyModel
from gazecrop.audit.studies.pairs import Outcome, PairOptions
from gazecrop.crop.cropping import Cropper, Options
from gazecrop.crop.ratios import parse_ratio
from gazecrop.picture.explain import explain

MASS = 1
SQUARE = parse_ratio("1:1")
LONG_SIDE = 420


def drawing(picture: bytes, cropper: Cropper, layers: tuple[str, ...] = ("heat", "points", "boxes")) -> bytes:
    """JPEG with the heat, the most salient point and the window crop 1:1."""
    box = cropper.crop(SQUARE, Options()).box
    points = [(point.x, point.y, point.score) for point in cropper.points[:1]]
    boxes = [("1:1", box.x, box.y, box.width, box.height)]
    return explain(
        picture, cropper.grid.levels, points, boxes, layers=layers, quality=78, long_side=LONG_SIDE
    )


def largest(
    people: Sequence[Person],
    outcomes: Sequence[Outcome],
    model: SaliencyModel,
    asked: PairOptions,
    count: int = 8,
) -> list[tuple[bytes, str]]:
    """The joins of one set in which the mass is farthest from parity, nobody twice."""
    ranked = sorted(
        (
            (
                abs(float(values[0, 0, MASS]) - 0.5),
                float(values[0, 0, MASS]),
                int(pair[0]),
                int(pair[1]),
                outcome,
            )
            for outcome in outcomes
            for pair, values in zip(outcome.pairs, outcome.values, strict=True)
        ),
        key=lambda row: -row[0],
    )
    used: set[int] = set()
    found: list[tuple[bytes, str]] = []
    for _, mass, first, second, outcome in ranked:
        if len(found) == count:
            break
        if {first, second} & used:
            continue
        used |= {first, second}
        room = asked.room.get(outcome.cell.set, 0.0)
        layout = LAYOUTS[outcome.layouts[0]]
        both = [load_portrait(people[index], room) for index in (first, second)]
        picture = joined(both[0], both[1], plan(Shape.of(both[0]), Shape.of(both[1]), layout))
        cropper = Cropper(model.predict(picture))
        names = outcome.cell.names
        said = f"{names[0]} : {names[1]}{f' ({outcome.cell.fixed})' if outcome.cell.fixed else ''}"
        found.append(
            (
                drawing(as_bytes(picture), cropper),
                f"{said}: {100 * mass:.0f} % of the attention on the first",
            )
        )
    return found
