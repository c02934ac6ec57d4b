"""Compatible with Azure AI Vision's Image Analysis 4.0, smartCrops only. Azure retires its service on 2028-09-25.

Ratios from 1:20 to 20:1; Azure allows 0.75 to 1.80.
"""

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from gazecrop.crop.cropping import Crop
from gazecrop.crop.params import Wanted
from gazecrop.crop.ratios import Ratio
from gazecrop.errors import BadParameters
from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.parameters import AZURE_IGNORED, azure_upload
from gazecrop.http.openapi.responses import vendor_responses
from gazecrop.http.problems import AZURE
from gazecrop.http.routes.shared import json_answer, parts_of
from gazecrop.http.routes.uploads import Errors, analysed, read_upload
from gazecrop.http.routes.vendors import crops_of, ratios_of

router = APIRouter(tags=["Compatibility"])
PARAMETERS = frozenset({"features", "smartcrops-aspect-ratios", *AZURE_IGNORED})
_NUMBER = re.compile(r"\d{1,6}(\.\d{1,9})?|\.\d{1,9}", re.ASCII)


@router.post(
    AZURE,
    summary="Azure Image Analysis 4.0, smartCrops only",
    responses=vendor_responses("Azure's response: metadata and smartCropsResult", schemas.Analysed),
    openapi_extra=azure_upload(),
)
async def analyze(request: Request) -> Response:
    parts = parts_of(request)
    upload = await read_upload(request, PARAMETERS, _ratios)
    known, _ = await analysed(request, upload.id, upload.data, upload.deadline)
    grid, record = known.picture.cropper.grid, known.picture.record
    return json_answer(
        {
            "modelVersion": record.model,
            "metadata": {"width": grid.width, "height": grid.height},
            "smartCropsResult": {"values": [_value(crop) for crop in crops_of(parts, known, upload.further)]},
        }
    )


def _ratios(wanted: Wanted, errors: Errors) -> tuple[Ratio, ...]:
    if errors:
        raise BadParameters(errors)
    features = [feature.strip().lower() for feature in wanted.extra.get("features", "").split(",")]
    if features != ["smartcrops"]:
        raise BadParameters.one(
            "features", "Of Azure's features only smartCrops is supported: features=smartCrops."
        )
    listed = wanted.extra.get("smartcrops-aspect-ratios", "")
    return ratios_of([_number(one) for one in listed.split(",") if one], "smartcrops-aspect-ratios")


def _number(text: str) -> Any:
    return float(text) if _NUMBER.fullmatch(text.strip()) else text


def _value(crop: Crop) -> dict[str, Any]:
    box = crop.box
    return {
        "aspectRatio": round(crop.ratio.value, 6),
        "boundingBox": {"x": box.x, "y": box.y, "w": box.width, "h": box.height},
    }
