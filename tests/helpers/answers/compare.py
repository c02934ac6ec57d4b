"""Two recordings side by side: what differs, as lines that a person can read."""

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from tests.helpers.answers import masks
from tests.helpers.answers.recording import Answer

MOST = 12  # lines shown of one answer
LONGEST = 160  # characters shown of a value
ABSENT = "(absent)"


@dataclass
class Allowed:
    """Differences that are intended, by regular expressions over `LABEL | DIFFERENCE`."""

    reasons: dict[str, str] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, path: Path) -> "Allowed":
        """A line each: the expression, two spaces and a #, the reason. Raises ValueError without a reason."""
        reasons = {}
        for line in path.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                pattern, _, reason = line.partition("  #")
                if not reason.strip():
                    raise ValueError(f"{path}: a reason is missing: {line}")
                reasons[pattern.strip()] = reason.strip()
        return cls(reasons)

    def __call__(self, line: str) -> bool:
        found = next((pattern for pattern in self.reasons if re.search(pattern, line)), None)
        self.used.update([found] if found else [])
        return found is not None


@dataclass
class Result:
    """`differences`: lines by label, but for those that are allowed. `versions`: answers that differ by what follows
    from the release number. `left_out`: answers of parts that only one side has (an address is one server)."""

    compared: int
    differences: dict[str, list[str]]
    versions: list[str]
    allowed: Allowed
    left_out: Counter[str]


def compare(before: Sequence[Answer], after: Sequence[Answer], allowed: Allowed | None = None) -> Result:
    allowed = allowed or Allowed()
    pairs = masks.Pairs()
    parts = {answer.part for answer in before} & {answer.part for answer in after}
    left_out = Counter(answer.part for answer in (*before, *after) if answer.part not in parts)
    old, new = ({one.label: one for one in answers if one.part in parts} for answers in (before, after))
    result = Result(len(old.keys() & new.keys()), {}, [], allowed, left_out)
    for label in [*old, *(label for label in new if label not in old)]:
        if label not in old or label not in new:
            lines = [f"{'no such answer' if label not in old else 'an answer'} -> "
                     f"{'no such answer' if label not in new else 'an answer'}"]  # fmt: skip
        else:
            lines, by_version = differences(old[label], new[label], pairs)
            if by_version:
                result.versions.append(label)
        if left := [line for line in lines if not allowed(f"{label} | {line}")]:
            result.differences[label] = left
    return result


def differences(before: Answer, after: Answer, pairs: masks.Pairs) -> tuple[list[str], bool]:
    """Lines, and whether something follows from the release number."""
    by_version = False

    def align(old: bytes, new: bytes) -> bytes:
        nonlocal by_version
        new = pairs.align(masks.RANDOM, old, new)
        aligned = pairs.align(masks.VERSION, old, new)
        by_version |= aligned != new and not before.random
        return aligned

    lines = []
    if before.status != after.status:
        lines.append(f"status: {before.status} -> {after.status}")
    old_headers = masks.headers(before)
    new_headers = [
        (
            name,
            align(dict(old_headers).get(name, "").encode("latin-1"), value.encode("latin-1")).decode(
                "latin-1"
            ),
        )
        for name, value in masks.headers(after)
    ]
    lines += _headers(old_headers, new_headers)
    old, new = masks.body(before), masks.body(after)
    new = align(old, new)
    if old != new:
        lines += _bodies(old, new)
    return lines, by_version


def _headers(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> Iterator[str]:
    if old == new:
        return
    if sorted(old) == sorted(new):
        yield f"order of headers: {', '.join(n for n, _ in old)} -> {', '.join(n for n, _ in new)}"
        return
    for name in dict.fromkeys(name for name, _ in (*old, *new)):
        was, is_now = ([value for key, value in side if key == name] for side in (old, new))
        if was != is_now:
            yield f"header {name}: {', '.join(was) or ABSENT} -> {', '.join(is_now) or ABSENT}"


def _bodies(old: bytes, new: bytes) -> Iterator[str]:
    try:
        was, is_now = _parsed(old), _parsed(new)
    except ValueError:
        yield from _pictures(old, new) or _texts(old, new)
        return
    lines = list(leaves(was, is_now))
    yield from lines or ["body: the same JSON, other bytes (order of members, spaces or forms of numbers)"]


def _parsed(text: bytes) -> Any:
    """A document, or as a list those of its lines. Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


def leaves(old: Any, new: Any, path: str = "body") -> Iterator[str]:
    """Where two JSON documents differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            yield from leaves(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from leaves(one, other, f"{path}[{at}]")
    elif old != new or type(old) is not type(new):
        yield f"{path}: {json.dumps(old)[:LONGEST]} -> {json.dumps(new)[:LONGEST]}"


def _pictures(old: bytes, new: bytes) -> list[str]:
    try:
        was, is_now = (Image.open(io.BytesIO(data)) for data in (old, new))
        sides = [f"{one.format} {one.width}x{one.height}, {len(data):,} bytes"
                 for one, data in ((was, old), (is_now, new))]  # fmt: skip
        most = "of other sizes"
        if was.size == is_now.size:
            bands = ImageChops.difference(was.convert("RGBA"), is_now.convert("RGBA")).split()
            apart = max(at for band in bands for at, count in enumerate(band.histogram()) if count)
            most = f"at most {apart} of 255 apart"
    except (OSError, ValueError, SyntaxError):
        return []
    return [f"body: {sides[0]} -> {sides[1]}; pixels {most}"]


def _texts(old: bytes, new: bytes) -> list[str]:
    try:
        was, is_now = old.decode().splitlines(), new.decode().splitlines()
    except UnicodeDecodeError:
        return [f"body: {len(old):,} bytes -> {len(new):,} bytes"]
    changed = [
        line
        for line in unified_diff(was, is_now, lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    return [f"body: {line[:LONGEST]}" for line in changed] or ["body: other ends of lines"]


def report(result: Result, *, ignore_versions: bool) -> tuple[str, int]:
    """What is printed, and the exit status: 1 when anything differs that is not allowed."""
    lines = []
    for label, found in result.differences.items():
        lines += [label, *(f"    {line}" for line in found[:MOST])]
        if len(found) > MOST:
            lines.append(f"    and {len(found) - MOST} more lines")
    for pattern, reason in result.allowed.reasons.items():
        lines.append(f"intended: {result.allowed.used[pattern]} differences, {reason} ({pattern})")
    for part, count in result.left_out.items():
        lines.append(f"not compared: {count} answers of {part or 'the first server'}, which one side has not")
    if result.versions:
        lines.append(f"ETag and version: {len(result.versions)} answers, follow from the release number")
    lines.append(f"{result.compared} answers compared, {len(result.differences)} differ")
    return "\n".join(lines), int(bool(result.differences or (result.versions and not ignore_versions)))
