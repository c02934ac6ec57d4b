"""Run as `python -m tests.helpers.answers`; the package's docstring says how."""

import argparse
import sys
import time
from pathlib import Path

from tests.helpers.answers import __doc__ as described
from tests.helpers.answers import commands, corpus, recording, servers
from tests.helpers.answers.client import Client
from tests.helpers.answers.compare import Allowed, compare, report
from tests.helpers.answers.recording import Answer


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.helpers.answers",
        description=described,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--python", type=Path, help="with an address: whose commands are recorded, too")
    actions = parser.add_subparsers(dest="action", required=True)
    record = actions.add_parser("record", parents=[both])
    record.add_argument("target", metavar="TARGET")
    record.add_argument("file", metavar="FILE", type=Path)
    against = actions.add_parser("compare", parents=[both])
    against.add_argument("before", metavar="BEFORE")
    against.add_argument("after", metavar="AFTER")
    against.add_argument(
        "--ignore-versions", action="store_true", help="what follows from the release number"
    )
    against.add_argument("--allow", type=Path, metavar="FILE", help="lines of REGEX  # REASON")
    options = parser.parse_args()
    if options.action == "record":
        recording.write(options.file, answers_of(options.target, options.python))
        return 0
    allowed = Allowed.read(options.allow) if options.allow else None
    before, after = (answers_of(target, options.python) for target in (options.before, options.after))
    text, status = report(compare(before, after, allowed), ignore_versions=options.ignore_versions)
    print(text)
    return status


def answers_of(target: str, python: Path | None) -> list[Answer]:
    """Of an address, an interpreter, or a recording."""
    began = time.monotonic()
    if target.startswith("http://"):
        client = Client(target)
        try:
            corpus.everything(client)
        except corpus.NotFresh as error:
            sys.exit(f"{error}: the server needs an empty GAZECROP_DATA_DIR")
        answers = client.answers + (commands.record(python.absolute()) if python else [])
    elif Path(target).with_name("gazecrop").exists():
        executable = Path(target).absolute()  # not resolved: a virtual environment's is a link
        answers = servers.record(executable) + commands.record(executable)
    else:
        return recording.read(Path(target))
    print(f"{len(answers)} answers of {target} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return answers


if __name__ == "__main__":
    sys.exit(main())
