"""Answers as a flat table, Parquet or CSV: one row for each crop; one without a crop for an unreadable picture."""

import csv
from collections.abc import Iterable, Iterator
from io import BytesIO, StringIO
from typing import Any

import orjson

from gazecrop.console.sources import arrow

COLUMNS = {
    **dict.fromkeys(("file", "file_base64", "error", "format"), "string"),
    **dict.fromkeys(("image_width", "image_height", "image_orientation"), "int32"),
    "model": "string",
    **dict.fromkeys(("focus_x", "focus_y"), "float64"),
    "objects": "string",  # of the picture, as in its document: a JSON array
    **dict.fromkeys(("saliency", "ratio", "profile"), "string"),
    **dict.fromkeys(("x", "y", "width", "height"), "int32"),
    **dict.fromkeys(
        ("importance_fraction", "centre_fraction", "gain", "beats_centre", "confidence"), "float64"
    ),
    **dict.fromkeys(("verdict", "policy"), "string"),
    **dict.fromkeys(("objects_whole", "objects_cut", "objects_outside"), "int32"),
    "fields": "string",  # a JSON object, with --fields
}


def parquet(answers: Iterable[dict[str, Any]]) -> bytes:
    """The file. Raises SourceError without pyarrow."""
    pyarrow = arrow()
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()])
    table = pyarrow.Table.from_pylist([row for answer in answers for row in rows(answer)], schema)
    file = BytesIO()
    pyarrow.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def csv_table(answers: Iterable[dict[str, Any]]) -> bytes:
    """The file: UTF-8, with a header, as RFC 4180 but for its line ends (LF)."""
    file = StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for answer in answers for row in rows(answer))
    return file.getvalue().encode()


def rows(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a JSON line; missing values are null."""
    names = {name: answer[name] for name in ("file", "file_base64") if name in answer}
    if "error" in answer:
        yield names | {"error": answer["error"]["detail"]}
        return
    image = answer["image"]
    common = names | {
        "format": image["format"],
        "image_width": image["width"],
        "image_height": image["height"],
        "image_orientation": image.get("orientation"),
        "model": answer["model"],
        "focus_x": answer["focus"]["x"],
        "focus_y": answer["focus"]["y"],
        "saliency": answer["saliency"]["encoded"],
    }
    if "objects" in answer:
        common["objects"] = orjson.dumps(answer["objects"]).decode()
    for crop in answer["crops"]:
        fields = {"fields": orjson.dumps(crop["fields"]).decode()} if "fields" in crop else {}
        own = {name: crop[name] for name in _OF_CROP if name in crop}
        yield common | crop["box"] | _held(crop) | own | fields


_OF_CROP = COLUMNS.keys() - {"objects"}  # a crop has a member of this name, too


def _held(crop: dict[str, Any]) -> dict[str, int]:
    """The numbers of objects that the crop keeps, cuts and leaves out; nothing for a map without objects."""
    if "objects" not in crop:
        return {}
    found = crop["objects"]
    return {
        "objects_whole": found["whole"],
        "objects_cut": len(found["cut"]),
        "objects_outside": found["outside"],
    }
