"""The audit of people: its four studies on the same pictures, and their report. Commands and card use it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gazecrop.audit.material.covariates import covariates
from gazecrop.audit.material.faces import Faces
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import Person, load_portrait, readable
from gazecrop.audit.material.sampling import sample_people
from gazecrop.audit.report import detection as detection_report
from gazecrop.audit.report import join_pictures, people_data
from gazecrop.audit.report import people as people_report
from gazecrop.audit.report.html import Provenance
from gazecrop.audit.studies import changes, detection, gaze, pairs
from gazecrop.audit.studies.cells import LEAST, Cell, cells
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.pairs import Outcome, PairOptions
from gazecrop.console.progress import Progress
from gazecrop.console.sources import SourceError

STUDIES = ("pairs", "gaze", "detection", "changes")
MIN_FACES = 0.9  # share of a set's people with a face from which on the few people without one are skipped


@dataclass(frozen=True)
class AuditOptions:
    """`columns`: labels to compare. `only`: values to compare (empty: all). `alone`, `changed`: people of each set for
    gaze and for changes; detection takes all. `pictures`: show people in the report."""

    studies: tuple[str, ...] = STUDIES
    columns: tuple[str, ...] = ("gender", "group")
    only: tuple[str, ...] = ()
    least: int = LEAST
    alone: int = 10_000
    changed: int = 60
    pictures: bool = True
    pairs: PairOptions = field(default_factory=PairOptions)


def run(
    everybody: Sequence[Person],
    contexts: Sequence[Context],
    faces: Faces | None,
    options: AuditOptions,
    provenance: Provenance,
    done: Mapping[str, list[Outcome]] | None = None,
) -> tuple[dict[str, Any], str]:
    """The data of report.json and the HTML report. The first of `contexts` is of the network under audit, the others
    are for comparison. `done`: finished outcomes of pairs by network. Raises SourceError."""
    people, skipped = prepare_people(everybody, contexts[0].maps, faces)
    if skipped:
        print(
            f"{len(skipped)} pictures are unreadable or skipped: {', '.join(skipped[:5])}...", file=sys.stderr
        )
    if not people:
        raise SourceError("there are no pictures to audit")
    selected = [
        cell for cell in cells(people, options.columns, options.least) if _selected(cell, options.only)
    ]
    if "pairs" in options.studies and not selected:
        labels = ", ".join(options.columns)
        raise SourceError(
            f"no two groups of {labels} have {options.least} people each in one set: --labels, --least"
        )
    numbers = pairs.person_numbers(people)
    outcomes: dict[str, list[Outcome]] = {}
    data: dict[str, Any] = {
        **provenance.json(),
        "networks": [context.model.name for context in contexts],
        "asked": {**asdict(options.pairs), "room": dict(contexts[0].room)},
        "gaze": {},
        "detection": {},
        "changes": {},
    }
    for context in contexts:
        name = context.model.name
        if done and name in done:
            outcomes[name] = done[name]
        elif "pairs" in options.studies:
            total = sum(min(options.pairs.count, len(cell.first) * len(cell.second)) for cell in selected)
            with Progress(total, plain=60) as progress:
                outcomes[name] = pairs.study(people, selected, context, options.pairs, progress.step)
        if "gaze" in options.studies:
            data["gaze"][name] = _gaze(people, context, options)
        if "detection" in options.studies:
            data["detection"][name] = _detection(people, context, options)
        if "changes" in options.studies:
            data["changes"][name] = _changes(people, context, options)
    values = np.array([covariates(load_portrait(person)) for person in people])
    data["sets"] = people_data.sets_of(people, options.columns, outcomes, values, numbers)
    shown: dict[str, list[tuple[bytes, str]]] = {}
    if options.pictures and outcomes:
        for each in data["sets"]:
            mine = [o for o in outcomes[data["networks"][0]] if o.cell.set == each["set"]]
            shown[each["set"]] = join_pictures.largest(people, mine, contexts[0])
    return data, people_report.html(data, provenance, shown)


def prepare_people(
    everybody: Sequence[Person], maps: Maps, faces: Faces | None
) -> tuple[list[Person], list[str]]:
    """The people of readable pictures, and the names of skipped pictures. A set keeps its faces if at least MIN_FACES
    of its people have one, and then only those people; otherwise all its people, without faces."""
    people, skipped = readable(list(everybody))
    if faces is not None:
        with Progress(len(people), plain=60) as progress:
            found = []
            for person in people:
                found.append(faces.with_face(person, maps))
                progress.step()
        people = found
    kept = []
    for name in sorted({person.set for person in people}):
        inside = [person for person in people if person.set == name]
        with_face = [person for person in inside if person.face is not None]
        if len(with_face) >= MIN_FACES * len(inside):
            kept += with_face
            skipped += [person.name for person in inside if person.face is None]
        else:
            kept += [Person(p.item, p.who, p.set, p.labels, None, p.digest) for p in inside]
    return kept, skipped


def _selected(cell: Cell, only: tuple[str, ...]) -> bool:
    return not only or {*cell.names, cell.fixed} <= {*only, ""}


def _gaze(people: Sequence[Person], context: Context, options: AuditOptions) -> list[dict[str, Any]]:
    """Of each set at most `options.alone` people, drawn at random."""
    some = sample_people(people, options.alone, options.pairs.seed)
    with Progress(len(some), plain=60) as progress:
        found = gaze.study(some, context, options.columns[0], progress.step)
    return people_data.gaze_of(found)


def _detection(people: Sequence[Person], context: Context, options: AuditOptions) -> dict[str, Any] | None:
    """Of all people with a known face; None for a network without objects."""
    with Progress(len(people) if context.model.objects else 0, plain=60) as progress:
        found = detection.study(people, context, options.columns, options.least, progress.step)
    return detection_report.data(found)


def _changes(people: Sequence[Person], context: Context, options: AuditOptions) -> dict[str, Any]:
    """Of each set at most `options.changed` people, drawn at random; and the drawn figures."""
    found: dict[str, Any] = {"against_itself": [], "off_the_face": []}
    for name in sorted({person.set for person in people}):
        inside = [person for person in people if person.set == name]
        some = sample_people(inside, options.changed, options.pairs.seed)
        with Progress(2 * len(some), plain=60) as progress:
            against = changes.against_itself(some, context, progress.step)
            off = changes.off_the_face(some, context, progress.step)
        found["against_itself"] += [{"set": name, **one} for one in people_data.effects_of(against)]
        found["off_the_face"] += [{"set": name, **one} for one in people_data.heads_of(off)]
    found["against_itself"] += people_data.effects_of([changes.seated(context)])
    return found
