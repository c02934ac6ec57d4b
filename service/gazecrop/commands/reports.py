"""gazecrop reports: lists or exports the reports that people sent, from the store of this environment's settings."""

import argparse
import asyncio
import base64
import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

from gazecrop.console.environment import read_settings
from gazecrop.console.options import exit_status
from gazecrop.settings import Settings
from gazecrop.store import sqlite_path, stored_reports
from gazecrop.store.base import Report


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="gazecrop reports", description=__doc__)
    parser.add_argument(
        "--json",
        action="store_true",
        help="export: one JSON object a line, with the attached picture as picture_base64",
    )
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
                sys.stdout.buffer.write(_exported(report))
            else:
                _print(report)
            if options.pictures and report.picture is not None:
                _save(options.pictures, report)
    sys.stdout.flush()  # a closed pipe shows here, not at the interpreter's end
    number = f"{count:,} report{'s' * (count != 1)}" if count else "No reports"
    print(f"{number} in {_place(settings)}", file=sys.stderr)
    return 0


def _place(settings: Settings) -> str:
    """Where the reports are, without a password."""
    if not settings.redis_url:
        file = sqlite_path(settings).absolute()
        return (
            str(file) if file.exists() else f"{file}, which does not exist (see GAZECROP_DATA_DIR, REDIS_URL)"
        )
    url = urlsplit(settings.redis_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"


def _exported(report: Report) -> bytes:
    """UTF-8 on every terminal and locale, so that nothing of a text is lost."""
    document = report.document
    if "picture" in document:
        picture = report.picture
        document = document | {"picture_base64": picture and base64.b64encode(picture).decode()}
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


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
