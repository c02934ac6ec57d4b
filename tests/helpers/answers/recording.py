"""A recording: answers in the order in which they came, each under a label that is the same in every run."""

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What came back. Of a command `status` is its exit status and `body` one of its outputs or files."""

    label: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    random: bool = False  # its version and ETag are made of something random
    part: str = ""  # which server gave it, or "commands"


def write(path: Path, answers: Iterable[Answer]) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        for one in answers:
            json.dump({**vars(one), "body": b64encode(one.body).decode()}, file)
            file.write("\n")


def read(path: Path) -> list[Answer]:
    """Raises OSError, ValueError when it is no recording."""
    with gzip.open(path, "rt") as file:
        found = [json.loads(line) for line in file]
    return [
        Answer(**{**one, "headers": tuple(map(tuple, one["headers"])), "body": b64decode(one["body"])})
        for one in found
    ]
