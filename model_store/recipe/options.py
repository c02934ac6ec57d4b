"""Options of a stage: a frozen dataclass whose fields are set by `--name=value` on the command line."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "model_store"
# Neither is part of the repository: the shards may be used for research only, the work folder is a cache.
DATA = Path(os.environ.get("GAZECROP_DATA", ROOT.parent / "shared" / "data"))
WORK = Path(os.environ.get("GAZECROP_WORK", ROOT / ".work"))


def parse(options: type[T], arguments: list[str] | None = None) -> T:
    """An instance of the dataclass `options` with every `--name=value` applied; `--name` alone means True.

    Raises SystemExit, which lists the options, for an unknown name; ValueError for a value of another type.
    """
    known = {field.name: field.type for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    values: dict[str, object] = {}
    for argument in sys.argv[1:] if arguments is None else arguments:
        name, _, text = argument.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if name not in known:
            raise SystemExit(f"unknown option {argument!r}; known: {', '.join('--' + one for one in known)}")
        kind = known[name]
        values[name] = text not in ("0", "false", "no") if kind in (bool, "bool") else kind(text)  # type: ignore[operator]
    return options(**values)
