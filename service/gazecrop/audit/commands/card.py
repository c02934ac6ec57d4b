"""Audits the default network and writes the tables of the audit's card, AUDIT.md.

    python -m gazecrop.audit.commands.card PEOPLE.tar --room utkface=0.5 --faces FILE.onnx --beside TWITTER.onnx \\
        --crowd DIR --photos DIR --out DIR

PEOPLE.tar: labelled portraits as a WebDataset tar (material/portraits.py). TWITTER.onnx: written by
model_store.recipe.judge.twitter.export_fastgaze. `--out`: a folder outside the repository for the report with its
pictures and all maps, since AUDIT.md holds only rates over many pairs. Every map is cached: a stopped run resumes, and
maps of an unchanged network are not computed again. `--minutes` limits the largest part, the pairs of the paper's
comparisons; the tables show the number of pairs reached. `--sections` fills the named marks of the page only and makes
only the studies that they need.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gazecrop.audit.commands import people as command_people
from gazecrop.audit.commands.card_sections import (
    ALL,
    PHOTOGRAPHS,
    crowd_sections,
    pair_sections,
    photograph_sections,
)
from gazecrop.audit.commands.options import FOLDER
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.faces import yunet
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.portraits import read_people
from gazecrop.audit.material.saliency_models import from_served
from gazecrop.audit.material.sampling import sample_items
from gazecrop.audit.people_audit import STUDIES, prepare_people, run
from gazecrop.audit.report import card_tables
from gazecrop.audit.report.html import Provenance
from gazecrop.audit.report.markdown import fill
from gazecrop.audit.report.output import write
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.sources import pictures_of
from gazecrop.model import STORE

README = STORE / "AUDIT.md"


def main(argv: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(argv)
    wanted = ALL if options.sections is None else frozenset(options.sections.split(","))
    if unknown := wanted - ALL:
        parser.error(f"--sections: {', '.join(sorted(unknown))}: the sections are {', '.join(sorted(ALL))}")
    folder = options.out or FOLDER / "card"
    audit_options = command_people.audit_options(
        options, [each for each in STUDIES if each in wanted | {"pairs"}]
    )
    pair_options = replace(audit_options.pairs, layouts=("beside",))
    audit_options = replace(audit_options, pairs=pair_options)
    require_reports()
    provenance = Provenance.of("people", argv or sys.argv[1:], options.source)
    settings = read_settings()
    ours, faces = from_served(*load(settings)), yunet(options.faces)
    with Maps(folder / "maps.sqlite") as maps:
        people, _ = prepare_people(read_people(options.source, options.images), maps, faces)
        context = command_people.context_of(options, ours, maps)
        sections, outcomes = pair_sections(options, people, context, pair_options, wanted)
        data, html = run(people, [context], None, audit_options, provenance, {ours.name: outcomes})
        write(folder, data, html)
        if "gaze" in wanted:
            sections["gaze"] = card_tables.gaze(data["gaze"][ours.name])
        if "changes" in wanted:
            sections["changes"] = card_tables.changes(data["changes"][ours.name])
        if "release" in wanted:
            sections["release"] = _release(data)
        if recalls := data["detection"].get(ours.name):
            sections["detection"] = card_tables.detection(ours.name, recalls)
        elif "detection" in wanted:
            print(f"{ours.name} has no objects: the section `detection` is left as it is")
        if options.crowd and faces and "crowd" in wanted:
            sections |= crowd_sections(options.crowd, context, faces)
        if options.photos and wanted & PHOTOGRAPHS:
            items = sample_items(pictures_of(options.photos), options.photographs)
            found = photograph_sections(items, options, maps)
            sections |= {name: text for name, text in found.items() if name in wanted}
    text = fill(options.readme.read_text(encoding="utf-8"), sections)
    options.readme.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = command_people.parser_of("people")
    parser.prog = "python -m gazecrop.audit.commands.card"
    counts = {
        "others": (300, "pairs of every other comparison"),
        "arranged": (300, "pairs of the two main comparisons in each other layout"),
        "alike": (300, "pairs of the ablation"),
        "compared": (500, "most pairs with the second network, within --compare-minutes"),
        "photographs": (250, "pictures of --photos, drawn at random"),
    }
    for name, (count, meaning) in counts.items():
        parser.add_argument(
            f"--{name}", type=int, default=count, metavar="N", help=f"{meaning}; default: {count}"
        )
    parser.add_argument(
        "--compare-minutes",
        type=float,
        default=2,
        metavar="M",
        help="time limit for the pairs of the second network; default: %(default)g",
    )
    parser.add_argument(
        "--sections",
        metavar="NAME,NAME",
        help="marks of the page to fill (default: all that have their inputs)",
    )
    parser.add_argument("--crowd", metavar="DIR", help="photographs of several people, without labels")
    parser.add_argument("--photos", metavar="DIR", help="photographs of all kinds, for stability")
    parser.add_argument(
        "--lock", type=Path, metavar="FILE", help="boxes of the previous network, by `gazecrop audit lock`"
    )
    parser.add_argument(
        "--readme", type=Path, default=README, metavar="FILE", help="the card; default: AUDIT.md"
    )
    return parser


def _release(data: dict[str, Any]) -> str:
    network = data["networks"][0]
    sentences = [f"Network {network}, release {data['release']}."]
    for each in data["sets"]:
        counts = [cell["networks"][network].get("pairs", 0) for cell in each["cells"]]
        sentences.append(
            f"{each['set']}: {each['people']} pictures, {len(counts)} comparisons, {sum(counts):,} pairs."
        )
    return " ".join(sentences)


if __name__ == "__main__":
    main()
