"""The JSON of crops and of image documents, as plain dicts. OpenAPI describes it (http/openapi/schemas.py)."""

from typing import Any

from gazecrop.crop.cropping import Crop, Cropper, verdict
from gazecrop.crop.fields import FORMS, Cut
from gazecrop.crop.focus import Focus, Profiles
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import SCORES, Object, held
from gazecrop.crop.placing import Box, Constraint
from gazecrop.crop.ratios import box_size


def crop_answer(crop: Crop, cropper: Cropper) -> dict[str, Any]:
    """The JSON object of one crop."""
    grid, box, ratio = cropper.grid, crop.box, crop.ratio
    answer: dict[str, Any] = {"ratio": ratio.text}
    if ratio.profile:
        answer["profile"] = ratio.profile
    answer |= {
        "box": box_answer(box),
        "normalized": {
            "x": round(box.x / grid.width, 4),
            "y": round(box.y / grid.height, 4),
            "width": round(box.width / grid.width, 4),
            "height": round(box.height / grid.height, 4),
        },
        "importance_fraction": round(crop.importance, 4),
        "centre_fraction": round(crop.centred, 4),
        "gain": round(crop.gain, 4) + 0.0,  # not -0.0
        "beats_centre": round(crop.beats_centre, 3),
        "confidence": None if crop.confidence is None else round(crop.confidence, 3),
        "verdict": crop.verdict,
        "policy": crop.policy,
    }
    answer |= seldom(crop, cropper)
    if box.width == grid.width or box.height == grid.height:  # object-position shifts, it cannot zoom
        answer["css"] = {"object-position": object_position(box, grid.width, grid.height)}
    answer["links"] = links(box, rotated=grid.rotated)
    if crop.fields:
        cut = cut_of(crop, grid)
        answer["fields"] = {name: FORMS[name](cut) for name in crop.fields}
    return answer


def seldom(crop: Crop, cropper: Cropper) -> dict[str, Any]:
    """The members of an answer that most crops do not have."""
    grid, objects = cropper.grid, crop.objects
    found: dict[str, Any] = {}
    if crop.zoom is not None:
        found["zoom"] = round(float(crop.zoom), 4)
    if (objects is not None and objects.avoidable) or crop.verdict == "poor":
        found["advice"] = advice(crop, cropper)
    if objects is not None:
        found["objects"] = {
            "whole": objects.whole,
            "cut": [object_answer(each, grid) for each in objects.cut],
            "outside": objects.outside,
        }
    if crop.unmet:
        found["unmet"] = [constraint_answer(constraint) for constraint in crop.unmet]
    if crop.alternatives:
        found["alternatives"] = [
            {
                "box": box_answer(other),
                "importance_fraction": round(importance, 4),
                "verdict": judged,
            }
            for (other, importance), judged in zip(crop.alternatives, crop.verdicts, strict=True)
        ]
    return found


def cut_of(crop: Crop, grid: SaliencyGrid) -> Cut:
    picture = grid.width, grid.height
    whole = (
        each.ltrb(*picture)
        for each in grid.objects
        if each.kind == "face" and held([each], crop.box.ltrb, picture).whole
    )
    return Cut(crop.box, picture, box_size(crop.ratio, *picture), crop.ratio.text, next(whole, None))


def box_answer(box: Box) -> dict[str, int]:
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height}


def constraint_answer(constraint: Constraint) -> dict[str, str]:
    values = (constraint.x, constraint.y, constraint.width, constraint.height)
    return {"parameter": constraint.kind, "value": ",".join(f"{value:.9g}" for value in values)}


def advice(crop: Crop, cropper: Cropper) -> dict[str, Any]:
    """For a poor crop: the nearest ratio that would be good, and the size of the canvas that shows the whole picture in
    this ratio. The ratio is None where no other one would help: none is good, or a policy, a zoom or a constraint
    determined the box. For a crop that cuts objects which a box of its size could hold whole: these, in `cut`, and the
    canvas."""
    grid, ratio = cropper.grid, crop.ratio
    span = cropper.good_ratios if crop.plain and verdict(crop.importance) == "poor" else None
    wider = ratio.numerator * grid.height > grid.width * ratio.denominator
    width = -(-grid.height * ratio.numerator // ratio.denominator) if wider else grid.width
    height = grid.height if wider else -(-grid.width * ratio.denominator // ratio.numerator)
    found: dict[str, Any] = {
        "nearest_good_ratio": span and span[wider],
        "pad_to": {"width": width, "height": height},
    }
    if crop.objects is not None and crop.objects.avoidable:
        found["cut"] = [object_answer(each, grid) for each in crop.objects.avoidable]
    return found


def object_answer(each: Object, grid: SaliencyGrid) -> dict[str, Any]:
    left, top, right, bottom = each.ltrb(grid.width, grid.height)
    return {
        "kind": each.kind,
        "box": box_answer(Box(left, top, right - left, bottom - top)),
        "score": round(each.score / SCORES, 2),
    }


def object_position(box: Box, width: int, height: int) -> str:
    """CSS `object-position` that shows this box with `object-fit: cover` (CSS Images 3, section 5.5)."""
    return f"{_share(box.x, width - box.width)} {_share(box.y, height - box.height)}"


def _share(offset: int, room: int) -> str:
    return f"{round(100 * offset / room, 2):g}%" if room else "50%"


def links(box: Box, *, rotated: bool) -> dict[str, str]:
    """The same box in the syntax of other tools. Tools that count in the stored frame are left out
    for a file that is not stored upright (`rotated`)."""
    x, y, width, height = box.x, box.y, box.width, box.height
    found = {
        "imgproxy": f"crop:{width}:{height}:nowe:{x}:{y}",  # it rotates before it crops
        # rotate() turns the picture by its EXIF orientation, and leaves an upright one as it is.
        "sharp": f"rotate().extract({{ left: {x}, top: {y}, width: {width}, height: {height} }})",
    }
    if not rotated:
        found["iiif"] = f"{x},{y},{width},{height}"
        found["cloudinary"] = f"c_crop,x_{x},y_{y},w_{width},h_{height}"
        found["thumbor"] = f"{x}x{y}:{x + width}x{y + height}"
    return found


def focus_answer(cropper: Cropper, focus: Focus | None, profiles: Profiles = ()) -> dict[str, Any]:
    own = {"profiles": {name: {"x": each.x, "y": each.y} for name, each in profiles}} if profiles else {}
    if focus is not None:
        return {"x": focus.x, "y": focus.y, "source": "person", **own}
    if cropper.points:
        x, y = round(cropper.points[0].x, 4), round(cropper.points[0].y, 4)
        return {"x": x, "y": y, "source": "model", **own}
    return {"x": 0.5, "y": 0.5, "source": "model", **own}


def document(
    id: str,
    version: str,
    model: str,
    picture_format: str,
    cropper: Cropper,
    focus: Focus | None,
    crops: list[Crop],
    *,
    orientation: int | None = None,
    profiles: Profiles = (),
    frames: int = 1,
) -> dict[str, Any]:
    """The image document: the answer to an upload. `orientation`: EXIF, 1 to 8, of the file; None: not stated.
    `frames`: of an animation."""
    grid = cropper.grid
    span = cropper.good_ratios
    image: dict[str, Any] = {"width": grid.width, "height": grid.height, "format": picture_format}
    if frames > 1:
        image |= {"animated": True, "frames": frames}
    stored = orientation is not None and grid.rotated == (orientation != 1)
    if stored:  # not with maps of release 0.1
        image["orientation"] = orientation
    objects = {"objects": [object_answer(each, grid) for each in grid.objects]} if grid.objects else {}
    return {
        "id": id,
        "version": version,
        "image": image,
        "model": model,
        "focus": focus_answer(cropper, focus, profiles),
        "points": [
            {"x": round(point.x, 4), "y": round(point.y, 4), "score": round(point.score, 4)}
            for point in cropper.points
        ],
        **objects,
        "symmetric": grid.symmetric,
        "flat": grid.flat,
        "good_ratios": span and {"from": span[0], "to": span[1]},
        "saliency": {"rows": grid.rows, "columns": grid.columns, "encoded": grid.text},
        "crops": [crop_answer(crop, cropper) for crop in crops],
    }
