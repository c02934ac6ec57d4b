"""gazecrop: a dispatcher. Each command is imported only when it is asked for."""

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "serve": ("service.commands.serve", "the server"),
    "crop": ("service.commands.crop", "crops of a file or a folder"),
    "explain": ("service.commands.explain", "a picture with its heat map, points and boxes"),
    "batch": ("service.commands.batch", "boxes for a whole library, resumable"),
    "audit": (
        "model_store.audit.command",
        "whom the crops favour, how steady they are, what a switch would move",
    ),
    "reports": ("service.commands.reports", "what people objected to"),
    "doctor": ("service.commands.doctor", "what runs here, and whether serving would work"),
}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print("gazecrop COMMAND [--help]\n")
        for name, (_, summary) in COMMANDS.items():
            print(f"  {name:<8} {summary}")
        return 0
    if arguments[0] in ("-V", "--version"):
        from service import __version__

        print(f"gazecrop {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print(f"gazecrop: {arguments[0]!r} is not a command; see gazecrop --help", file=sys.stderr)
        return 2
    command = importlib.import_module(COMMANDS[arguments[0]][0])
    status: int = command.main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
