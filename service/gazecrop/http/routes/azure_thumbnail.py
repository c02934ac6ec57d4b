"""Compatible with generateThumbnail of Azure Computer Vision v3.2: a picture in, a JPEG of exactly the asked size out.

With smartCropping the crop is the default one of this server, without it the centre crop. A picture that is smaller
than the thumbnail is enlarged.
"""

from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request, Response

from gazecrop.crop.params import Wanted, one_ratio
from gazecrop.errors import BadParameters
from gazecrop.http.openapi.parameters import thumbnail_upload
from gazecrop.http.openapi.responses import THUMBNAIL_FILE, vendor_responses
from gazecrop.http.problems import THUMBNAIL
from gazecrop.http.routes.output import CropOutput
from gazecrop.http.routes.rendering import cropped
from gazecrop.http.routes.shared import parts_of
from gazecrop.http.routes.uploads import Errors, read_upload

router = APIRouter(tags=["Compatibility"])
PARAMETERS = frozenset({"width", "height", "smartCropping", "model-version"})
LONGEST = 1024  # pixels, as Azure


@router.post(
    THUMBNAIL,
    summary="Azure Computer Vision v3.2, generateThumbnail",
    response_class=Response,
    responses=vendor_responses(
        "The thumbnail, a JPEG", THUMBNAIL_FILE, ("Vary", "X-Degraded", "X-Gazecrop-Id", "X-Gazecrop-Box")
    ),
    openapi_extra=thumbnail_upload(),
)
async def thumbnail(request: Request) -> Response:
    most = round(parts_of(request).settings.max_megapixels_out * 1e6)
    sent = await read_upload(request, PARAMETERS, partial(_output, most), renders=True)
    wanted = sent.wanted.of(sent.further.ratio)
    if sent.wanted.extra.get("smartCropping", "false").lower() == "false":
        wanted = replace(wanted, options=replace(wanted.options, policy="centre"))
    return await cropped(request, sent, wanted)


def _output(most: int, wanted: Wanted, errors: Errors) -> CropOutput:
    """Raises BadParameters with every wrong parameter."""
    width, height = (_side(wanted, name, errors) for name in ("width", "height"))
    if wanted.extra.get("smartCropping", "false").lower() not in ("true", "false"):
        errors.append({"parameter": "smartCropping", "detail": "smartCropping is true or false."})
    if errors:
        raise BadParameters(errors)
    return CropOutput(one_ratio(f"{width}:{height}"), width, height, True, "jpeg", None, most, False)


def _side(wanted: Wanted, name: str, errors: Errors) -> int:
    text = wanted.extra.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LONGEST):
        detail = f"{name} is {'' if text else 'required, '}a whole number of pixels from 1 to {LONGEST}."
        errors.append({"parameter": name, "detail": detail, "limit": LONGEST, "received": text[:40]})
        return 0
    return int(text)
