"""The studies of people, run together on the same pictures: pairs, gaze, changes. The commands and the card call it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gazecrop import __version__
from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.faces import Faces
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import Person, readable, sight
from gazecrop.audit.material.saliency_models import Look
from gazecrop.audit.report import report, strips, summary
from gazecrop.audit.studies import changes, gaze, pairs
from gazecrop.audit.studies.cells import LEAST, Cell, cells
from gazecrop.audit.studies.pairs import Asked, Outcome
from gazecrop.console.progress import Progress
from gazecrop.console.sources import Item, SourceError

STUDIES = ("pairs", "gaze", "changes")
FACES = 0.9  # from this share on, faces are what counts in a set, and the few pictures without are left out


@dataclass(frozen=True)
class Wanted:
    """`columns`: labels that are compared. `only`: values that are (empty: all). `alone`, `changed`: people of each
    set for gaze and for changes. `pictures`: show people in the report."""

    studies: tuple[str, ...] = STUDIES
    columns: tuple[str, ...] = ("gender", "group")
    only: tuple[str, ...] = ()
    least: int = LEAST
    alone: int = 10_000
    changed: int = 60
    pictures: bool = True
    asked: Asked = field(default_factory=Asked)


def run(
    everybody: Sequence[Person],
    looks: Sequence[Look],
    maps: Maps,
    faces: Faces | None,
    wanted: Wanted,
    done: Mapping[str, list[Outcome]] | None = None,
) -> tuple[dict[str, Any], str]:
    """What was found, and the report. The first of `looks` is the network under audit, the others stand beside it.
    `done`: pairs that were studied already, by network."""
    people, bad = prepared(everybody, maps, faces)
    if bad:
        print(f"{len(bad)} pictures cannot be read or are left out: {', '.join(bad[:5])}...", file=sys.stderr)
    if not people:
        raise SourceError("there are no pictures to audit")
    asked = wanted.asked
    compared = [cell for cell in cells(people, wanted.columns, wanted.least) if _asked_for(cell, wanted.only)]
    if "pairs" in wanted.studies and not compared:
        labels = ", ".join(wanted.columns)
        raise SourceError(
            f"no two groups of {labels} have {wanted.least} people each in one set: --labels, --least"
        )
    who = pairs.persons(people)
    outcomes: dict[str, list[Outcome]] = {}
    data: dict[str, Any] = {
        "release": __version__,
        "networks": [look.name for look in looks],
        "asked": {name: value for name, value in asdict(asked).items() if name != "threads"},
        "gaze": {},
        "changes": {},
    }
    for look in looks:
        if done and look.name in done:
            outcomes[look.name] = done[look.name]
        elif "pairs" in wanted.studies:
            total = sum(min(asked.count, len(cell.first) * len(cell.second)) for cell in compared)
            with Progress(total, plain=60) as progress:
                outcomes[look.name] = pairs.study(people, compared, look, maps, asked, progress.step)
        if "gaze" in wanted.studies:
            some = drawn(people, wanted.alone, asked.seed)
            with Progress(len(some), plain=60) as progress:
                column = wanted.columns[0]
                found = gaze.study(some, look, maps, column, asked.room, asked.threads, progress.step)
            data["gaze"][look.name] = summary.gaze_of(found)
        if "changes" in wanted.studies:
            data["changes"][look.name] = _changes(people, look, maps, wanted)
    values = np.array([covariates(sight(person)) for person in people])
    data["sets"] = summary.sets_of(people, wanted.columns, outcomes, values, who)
    shown: dict[str, list[tuple[bytes, str]]] = {}
    if wanted.pictures and outcomes:
        for each in data["sets"]:
            mine = [o for o in outcomes[looks[0].name] if o.cell.set == each["set"]]
            shown[each["set"]] = strips.largest(people, mine, looks[0], asked)
    return data, report.people(data, shown)


def prepared(everybody: Sequence[Person], maps: Maps, faces: Faces | None) -> tuple[list[Person], list[str]]:
    """Those that can be read, with faces where they are known for nearly all of a set, and without where not."""
    people, bad = readable(list(everybody))
    if faces is not None:
        with Progress(len(people), plain=60) as progress:
            found = []
            for person in people:
                found.append(faces.known(person, maps))
                progress.step()
        people = found
    kept = []
    for name in sorted({person.set for person in people}):
        inside = [person for person in people if person.set == name]
        with_face = [person for person in inside if person.face is not None]
        if len(with_face) >= FACES * len(inside):
            kept += with_face
            bad += [person.name for person in inside if person.face is None]
        else:
            kept += [Person(p.item, p.who, p.set, p.labels, None, p.digest) for p in inside]
    return kept, bad


def _asked_for(cell: Cell, only: tuple[str, ...]) -> bool:
    return not only or {*cell.names, cell.fixed} <= {*only, ""}


def _changes(people: Sequence[Person], look: Look, maps: Maps, wanted: Wanted) -> dict[str, Any]:
    """Of each set `changed` people, drawn at random; the drawn figures."""
    asked = wanted.asked
    found: dict[str, Any] = {"against_itself": [], "off_the_face": []}
    for name in sorted({person.set for person in people}):
        some = drawn([person for person in people if person.set == name], wanted.changed, asked.seed)
        with Progress(2 * len(some), plain=60) as progress:
            against = changes.against_itself(some, look, maps, asked.room, asked.threads, progress.step)
            off = changes.off_the_face(some, look, maps, asked.room, asked.threads, progress.step)
        found["against_itself"] += [{"set": name, **one} for one in summary.drawn_of(against)]
        found["off_the_face"] += [{"set": name, **one} for one in summary.off_of(off)]
    found["against_itself"] += summary.drawn_of([changes.seated(look, maps)])
    return found


def drawn(people: Sequence[Person], count: int, seed: int) -> list[Person]:
    """At most `count` of each set, at random."""
    generator = np.random.default_rng(seed)
    found = []
    for name in sorted({person.set for person in people}):
        inside = [person for person in people if person.set == name]
        found += [inside[i] for i in sorted(generator.permutation(len(inside))[:count])]
    return found


def drawn_items(items: Sequence[Item], count: int, seed: int = 0) -> list[Item]:
    """At most `count` pictures, at random, in their order."""
    order = np.random.default_rng(seed).permutation(len(items))[:count]
    return [items[i] for i in sorted(order.tolist())]


def write(folder: Path, data: dict[str, Any], html: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(
        json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (folder / "report.html").write_text(html, encoding="utf-8")
