"""gazecrop audit fetch-wikicelb: downloads pictures of people from Wikidata, with labels and licences."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from gazecrop.audit.commands.options import run_command
from gazecrop.audit.extra import require
from gazecrop.audit.material.wikicelb import INDIVIDUALS, QUERY, fetch, rows
from gazecrop.audit.material.wikimedia import Client, FetchError, Source
from gazecrop.console.options import USAGE
from gazecrop.console.progress import Progress


def main(command: str, argv: Sequence[str]) -> int:
    plain = Source()
    parser = argparse.ArgumentParser(
        prog=f"gazecrop audit {command}",
        description="Downloads people of Wikidata with a picture, gender and ethnic group, and the pictures' licences; "
        "then: gazecrop audit people DIR/people.csv",
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument(
        "--contact", metavar="MAIL", help="part of the User-Agent, as Wikimedia's policy requires"
    )
    parser.add_argument("--people", type=int, default=INDIVIDUALS, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--width", type=int, default=480, metavar="PIXELS", help="of the pictures; default: %(default)s"
    )
    parser.add_argument(
        "--pause", type=float, default=1.0, metavar="SECONDS", help="between requests; default: %(default)g"
    )
    parser.add_argument("--sparql", default=plain.sparql, metavar="URL", help="default: %(default)s")
    parser.add_argument("--commons", default=plain.commons, metavar="URL", help="default: %(default)s")
    parser.add_argument("--files", default=plain.files, metavar="URL", help="default: %(default)s")
    parser.add_argument("--query", action="store_true", help="only print the query")
    options = parser.parse_args(argv)
    if options.query:
        print(QUERY, end="")
        return 0
    if not options.contact:
        print("gazecrop audit: --contact is required, such as a mail address", file=sys.stderr)
        return USAGE
    return run_command(command, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    require("httpx")
    hosts = tuple({urlsplit(url).netloc for url in (options.sparql, options.commons, options.files)})
    source = Source(options.sparql, options.commons, options.files, (*Source().hosts, *hosts))
    done = len(rows(options.folder / "people.csv"))
    try:
        with (
            Client(options.contact, source, options.pause) as client,
            Progress(options.people, done, plain=60) as progress,
        ):
            for _ in fetch(options.folder, client, options.people, options.width):
                progress.step()
    except FetchError as error:
        print(f"gazecrop audit: {error}; the same command resumes from here", file=sys.stderr)
        return USAGE
    table = options.folder / "people.csv"
    print(f"{len(rows(table)):,} people: {table}")
    return 0
