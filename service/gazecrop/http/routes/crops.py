"""OpenAPI of GET crops. `http/front.py` serves these paths; the framework never gets them."""

from fastapi import APIRouter

from gazecrop.http.openapi import schemas
from gazecrop.http.openapi.parameters import OF_A_CROP, query
from gazecrop.http.openapi.responses import FRESH, NOT_MODIFIED, responses

router = APIRouter(tags=["images"])


@router.get(
    "/v1/images/{id}/crops",
    summary="Crops of any ratios, from the cached map alone",
    responses=responses({200: schemas.Crops, 304: NOT_MODIFIED}, 401, 403, 404, 422, 503, headers=FRESH),
    openapi_extra=query("ratios", *OF_A_CROP, "candidates", "v"),
)
async def many(id: str) -> None:
    raise AssertionError("served by gazecrop.http.front")


@router.get(
    "/v1/images/{id}/crops/{ratio}",
    summary="One crop, from the cached map alone",
    responses=responses({200: schemas.Crop, 304: NOT_MODIFIED}, 401, 403, 404, 422, 503, headers=FRESH),
    openapi_extra=query(*OF_A_CROP, "candidates", "v"),
)
async def one(id: str, ratio: str) -> None:
    raise AssertionError("served by gazecrop.http.front")
