"""gazecrop: dispatches to the commands. Each is imported only when it runs, so that --help is fast."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

COMMANDS = {
    "serve": ("gazecrop.commands.serve", "the server"),
    "crop": ("gazecrop.commands.crop", "crops of a file or a folder"),
    "explain": ("gazecrop.commands.explain", "a picture with its heat map, points and boxes"),
    "batch": ("gazecrop.commands.batch.command", "boxes for a whole library, resumable"),
    "work": ("gazecrop.commands.work.command", "a worker: jobs of a Redis stream, and bucket events"),
    "audit": (
        "gazecrop.audit.command",
        "fairness and stability of the crops, and what another network would change",
    ),
    "reports": ("gazecrop.commands.reports", "the reports that people sent"),
    "doctor": ("gazecrop.commands.doctor.command", "checks the network, the store and the settings"),
}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(
        sys.stdout, TextIOWrapper
    ):  # a file name or a text that its encoding lacks must stop nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print("gazecrop COMMAND [--help]\n")
        for name, (_, summary) in COMMANDS.items():
            print(f"  {name:<8} {summary}")
        return 0
    if arguments[0] in ("-V", "--version"):
        from gazecrop import __version__

        print(f"gazecrop {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print(f"gazecrop: {arguments[0]!r} is not a command; see gazecrop --help", file=sys.stderr)
        return 2
    if arguments[0] in ("serve", "work"):
        # The kernel drops a signal without a handler where the process is the first of a container, and the imports
        # take half a second. The server has handlers of its own later.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: os._exit(0))
    command = importlib.import_module(COMMANDS[arguments[0]][0])
    status: int = command.main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
