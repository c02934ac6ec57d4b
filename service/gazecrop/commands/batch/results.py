"""The files of a batch. A batch that is killed and resumed leaves the same files as one that is not.

batch.json          the options and the network: a run with others is refused
plan.jsonl          the names, one list in a line for each part; new names are appended
journal.jsonl       answers of incomplete parts, appended one by one
part-00000.jsonl    (or .csv, .parquet) a complete part, in the order of the plan, written atomically
unreadable.txt      name, tab, reason; the bytes of the name, with \\ \t \n \r escaped
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import orjson

from gazecrop.commands.batch import tables
from gazecrop.console.names import name_of

ESCAPES = {
    "\\": r"\\",
    "\t": r"\t",
    "\n": r"\n",
    "\r": r"\r",
}  # of names in unreadable.txt; the backslash first
PART = 1000  # pictures in a part
_JOURNAL_LIMIT = 64_000_000  # bytes; above, entries of complete parts are dropped


class Refused(Exception):
    """This folder belongs to another run. The text is for the user."""


class Results:
    """The folder of one batch, locked while it is open. `parameters`: all that the answers depend on."""

    def __init__(self, folder: Path, parameters: dict[str, Any], names: Sequence[str], format: str) -> None:
        """`format`: jsonl, csv or parquet. Raises Refused, and OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._format = folder, format
        self._lock = (folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Refused(f"another batch is running in {folder}") from None
        try:
            self._agree(parameters)
        except Refused:
            self._lock.close()
            raise
        self.parts = self._plan(names)
        self.complete = {part for part in range(len(self.parts)) if self._path(part).exists()}
        self._pending: dict[int, dict[int, bytes]] = {}
        for part, place, line in self._read_journal():
            if part not in self.complete:
                self._pending.setdefault(part, {})[place] = line
        self._start_journal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()
        self._lock.close()

    @property
    def total(self) -> int:
        return sum(map(len, self.parts))

    def missing(self) -> Iterator[tuple[int, int, str]]:
        """(part, place, name) of every picture without an answer, in order."""
        for part, names in enumerate(self.parts):
            if part not in self.complete:
                known = self._pending.get(part, {})
                yield from ((part, place, name) for place, name in enumerate(names) if place not in known)

    def add(self, part: int, place: int, line: bytes) -> None:
        """Stores one answer: when this returns, it survives the death of this process."""
        self._journal.write(b"%d %d " % (part, place) + line)
        self._pending.setdefault(part, {})[place] = line
        self._finish(part)

    def finish(self) -> None:
        """Writes the parts that the journal completes, and the sorted list of unreadable pictures."""
        for part in list(self._pending):
            self._finish(part)
        if not self._pending:
            self._journal.truncate(0)
        unreadable = self._folder / "unreadable.txt"
        if unreadable.exists():
            _replace(unreadable, b"".join(line + b"\n" for line in self.unreadable()))

    def unreadable(self) -> list[bytes]:
        """name, tab, reason; each name once."""
        path = self._folder / "unreadable.txt"
        found = path.read_bytes().splitlines() if path.exists() else []
        return sorted({line.split(b"\t")[0]: line for line in found if b"\t" in line}.values())

    def _finish(self, part: int) -> None:
        lines = self._pending[part]
        if len(lines) < len(self.parts[part]):
            return
        ordered = [lines[place] for place in range(len(lines))]
        # Lines are 3 kB and rarely errors: only those that may be one are parsed.
        failed = [a for line in ordered if b'"error":' in line and "error" in (a := orjson.loads(line))]
        if failed:
            with (self._folder / "unreadable.txt").open("ab") as file:
                file.writelines(_reason(answer) for answer in failed)
        _replace(self._path(part), self._table(ordered))
        self.complete.add(part)
        del self._pending[part]
        if self._journal.tell() > _JOURNAL_LIMIT:
            self._journal.close()
            self._start_journal()

    def _table(self, lines: list[bytes]) -> bytes:
        if self._format == "jsonl":
            return b"".join(lines)
        table = tables.csv_table if self._format == "csv" else tables.parquet
        return table(map(orjson.loads, lines))

    def _path(self, part: int) -> Path:
        return self._folder / f"part-{part:05}.{self._format}"

    def _agree(self, parameters: dict[str, Any]) -> None:
        path = self._folder / "batch.json"
        if not path.exists():
            if any(self._folder.glob("part-*")):
                raise Refused(f"{self._folder} has results, but no batch.json with their options")
            _replace(path, orjson.dumps(parameters, option=orjson.OPT_INDENT_2))
            return
        before = orjson.loads(path.read_bytes())
        differ = [key for key in parameters if before.get(key) != parameters[key]]
        if differ:
            detail = "; ".join(f"{key} was {before.get(key)!r}, now {parameters[key]!r}" for key in differ)
            raise Refused(f"{self._folder} has results of other options ({detail}): choose another folder")

    def _plan(self, names: Sequence[str]) -> list[list[str]]:
        path = self._folder / "plan.jsonl"
        parts: list[list[str]] = []
        if path.exists():
            parts = [json.loads(line) for line in path.read_bytes().splitlines()]
        known = {name for part in parts for name in part}
        new = [name for name in names if name not in known]
        if new:
            parts += [new[at : at + PART] for at in range(0, len(new), PART)]
            _replace(path, b"".join(map(_line, parts)))
        return parts

    def _read_journal(self) -> Iterator[tuple[int, int, bytes]]:
        path = self._folder / "journal.jsonl"
        for entry in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
            part, _, rest = entry.partition(b" ")
            place, _, line = rest.partition(b" ")
            if line.endswith(b"\n") and part.isdigit() and place.isdigit() and _whole(line):
                yield int(part), int(place), line

    def _start_journal(self) -> None:
        """Rewrites it with pending answers only, without a torn last line."""
        path = self._folder / "journal.jsonl"
        pending = ((part, at, line) for part, lines in self._pending.items() for at, line in lines.items())
        _replace(path, b"".join(b"%d %d " % (part, at) + line for part, at, line in pending))
        self._journal = path.open("ab", buffering=0)


def _line(names: list[str]) -> bytes:
    """ASCII, in which names that are not UTF-8 are escaped surrogates. orjson takes no surrogates."""
    return json.dumps(names, separators=(",", ":")).encode() + b"\n"


def _whole(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:  # the machine failed, not only the process
        return False
    return True


def _reason(answer: dict[str, Any]) -> bytes:
    name = name_of(answer)
    for character, escaped in ESCAPES.items():
        name = name.replace(character, escaped)
    reason = " ".join(answer["error"]["detail"].split())
    return os.fsencode(name) + b"\t" + reason.encode() + b"\n"


def _replace(path: Path, data: bytes) -> None:
    """Writes the file atomically and durably."""
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
