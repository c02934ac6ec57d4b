"""gazecrop reports: lists or exports the reports that people sent."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from gazecrop.console.environment import read_settings
from gazecrop.console.options import exit_status
from gazecrop.store import stored_reports
from gazecrop.store.base import Report


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop reports", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, whole: the export")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="save the attached pictures here")
    options = parser.parse_args(argv)
    return exit_status("reports", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    settings = read_settings()
    count = 0
    async with aclosing(stored_reports(settings)) as reports:
        async for report in reports:
            count += 1
            if options.json:
                print(json.dumps(report.document, ensure_ascii=False))
            else:
                _print(report)
            if options.pictures and report.picture is not None:
                _save(options.pictures, report)
    if not count:
        print(f"No reports in {'Redis' if settings.redis_url else settings.data_dir}.", file=sys.stderr)
    sys.stdout.flush()  # a closed pipe shows here, not at the interpreter's end
    return 0


def _print(report: Report) -> None:
    document = report.document
    ratios = ", ".join(crop["ratio"] for crop in document.get("crops", [])) or "-"
    picture = document.get("picture")
    if picture is not None:
        picture = f"  picture: {picture if report.picture is not None else 'forgotten'}"
    print(f"{document['at']}  {document.get('kind', 'wrong'):<6}  {document['id']}  {ratios}{picture or ''}")
    if text := document.get("text", ""):
        print(f"    {' '.join(text.split())}")


def _save(folder: Path, report: Report) -> None:
    """Readable by the owner alone, because people may be in the picture."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / Path(report.document["picture"]).name
    file.touch(0o600)
    file.write_bytes(report.picture or b"")
