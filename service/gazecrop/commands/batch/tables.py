"""Answers as a flat Parquet table: one row for each crop; one without a crop for an unreadable picture."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from gazecrop.console.sources import arrow

COLUMNS = {
    **dict.fromkeys(("file", "error", "format"), "string"),
    **dict.fromkeys(("image_width", "image_height"), "int32"),
    **dict.fromkeys(("model", "saliency", "ratio", "profile"), "string"),
    **dict.fromkeys(("x", "y", "width", "height"), "int32"),
    "importance_fraction": "float64",
    **dict.fromkeys(("verdict", "policy"), "string"),
}


def parquet(answers: Iterable[dict[str, Any]]) -> bytes:
    """The file. Raises SourceError without pyarrow."""
    pyarrow = arrow()
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()])
    table = pyarrow.Table.from_pylist([row for answer in answers for row in rows(answer)], schema)
    file = BytesIO()
    pyarrow.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def rows(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a JSON line; missing values are null."""
    if "error" in answer:
        yield {"file": answer["file"], "error": answer["error"]["detail"]}
        return
    image = answer["image"]
    common = {
        "file": answer["file"],
        "format": image["format"],
        "image_width": image["width"],
        "image_height": image["height"],
        "model": answer["model"],
        "saliency": answer["saliency"]["encoded"],
    }
    for crop in answer["crops"]:
        yield common | crop["box"] | {name: crop[name] for name in COLUMNS if name in crop}
