"""gazecrop audit crowd: several people in one photograph, without labels."""

import argparse
from collections.abc import Sequence

from gazecrop.audit.commands import options as shared
from gazecrop.audit.extra import require_reports
from gazecrop.audit.material.faces import FILE, yunet
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.material.saliency_models import from_served
from gazecrop.audit.report.crowd import data, html
from gazecrop.audit.report.output import write
from gazecrop.audit.studies.context import Context
from gazecrop.audit.studies.crowd import study
from gazecrop.console.environment import read_settings
from gazecrop.console.options import load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import SourceError, pictures_of


def main(command: str, argv: Sequence[str]) -> int:
    parser = shared.parser_of(
        command, "Several people in one photograph: who gets the attention? Needs no labels."
    )
    shared.add_faces(parser)
    shared.add_output(parser, command)
    options = parser.parse_args(argv)
    return shared.run_command(command, lambda: run(options, shared.output_of(command, argv, options)))


def run(options: argparse.Namespace, output: shared.Output) -> int:
    require_reports()
    faces = yunet(options.faces)
    if faces is None:
        raise SourceError(f"the face detector {FILE} is missing: --faces")
    items, settings = pictures_of(options.source), read_settings()
    model = from_served(*load(settings))
    with Maps(output.maps) as maps, Progress(len(items), plain=60) as progress:
        context = Context(model, maps, threads=settings.workers)
        crowd = study(items, context, faces, progress.step)
    if crowd is None:
        raise SourceError("fewer than ten pictures have two or more faces")
    write(
        output.folder,
        data(crowd, model.name, output.provenance),
        html(crowd, model.name, output.provenance),
    )
    return 0
