"""Names of files in outputs. On POSIX a name is any bytes; Python keeps those that are not UTF-8 as surrogates, which
neither JSON nor a terminal accepts."""

import base64
import os
from typing import Any


def printable(name: str) -> str:
    """The name as valid text: U+FFFD for each byte that is not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def name_fields(name: str) -> dict[str, str]:
    """The name in JSON and in tables: `file`, and where that is not exact `file_base64`, its bytes."""
    if (text := printable(name)) == name:
        return {"file": name}
    return {"file": text, "file_base64": base64.b64encode(os.fsencode(name)).decode()}


def name_of(answer: dict[str, Any]) -> str:
    """The exact name that `name_fields` wrote."""
    if "file_base64" in answer:
        return os.fsdecode(base64.b64decode(answer["file_base64"]))
    name: str = answer["file"]
    return name
