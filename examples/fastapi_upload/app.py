"""Stores uploads with the crops that a site uses."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException, UploadFile
from starlette.concurrency import run_in_threadpool

import gazecrop
from gazecrop.integrations.remote import ServiceError, document_of

FOLDER = Path(os.environ.get("UPLOADS", "uploads"))
SERVICE = os.environ.get("GAZECROP_URL")
KEY = os.environ.get("GAZECROP_API_KEY")
RATIOS = "16:9,1:1,4:5"
LARGEST = 20 << 20  # bytes

app = FastAPI()


@app.post("/photos", status_code=201)
async def upload(file: UploadFile) -> dict[str, Any]:
    data = await file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise HTTPException(413, f"A picture has at most {LARGEST >> 20} MB.")
    crops = await run_in_threadpool(crops_by_service if SERVICE else crops_by_library, data)
    name = uuid4().hex
    FOLDER.mkdir(parents=True, exist_ok=True)
    await run_in_threadpool((FOLDER / name).write_bytes, data)
    return {"name": name, "crops": crops}


def crops_by_library(data: bytes) -> dict[str, Any]:
    """Ratio -> box, share of the importance, and CSS for `object-fit: cover`."""
    try:
        picture = gazecrop.look(data)
    except gazecrop.PictureError as error:
        raise HTTPException(error.status, str(error)) from None
    return {
        crop.ratio.text: {"box": crop.box._asdict(), "importance": crop.importance_fraction, "css": crop.css}
        for crop in picture.crops(RATIOS)
    }


def crops_by_service(data: bytes) -> dict[str, Any]:
    """The same."""
    try:
        document = document_of(data, {"ratios": RATIOS}, url=str(SERVICE), key=KEY)
    except ServiceError as error:
        refused = error.status in (413, 415, 422)  # the picture is at fault
        raise HTTPException(error.status if refused else 503, "No crops for this file.") from None
    except OSError:
        raise HTTPException(503, "The crop service cannot be reached.") from None
    return {
        crop["ratio"]: {
            "box": crop["box"],
            "importance": crop["importance_fraction"],
            "css": crop.get("css"),
        }
        for crop in document["crops"]
    }
