"""What the tests of the shipped files share."""

from pathlib import Path
from typing import Any

import yaml

from gazecrop.settings import Settings

ROOT = Path(__file__).parents[2]


def text(path: str) -> str:
    return (ROOT / path).read_text()


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def variables() -> set[str]:
    """Every environment variable that is a setting: ours, and uvicorn's for the proxies in front."""
    names = {"FORWARDED_ALLOW_IPS"}
    for name, field in Settings.model_fields.items():
        names.add(str(field.validation_alias) if field.validation_alias else f"GAZECROP_{name.upper()}")
    return names


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, rest) of each line, continued lines joined."""
    joined = text("Dockerfile").replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [
        (word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and line[0] != "#")
    ]
