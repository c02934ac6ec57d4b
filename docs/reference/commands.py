"""The command line: every command with its arguments, from its parser."""

import argparse
import importlib
from contextlib import suppress
from unittest import mock

from docs.reference.markdown import made_by, table
from gazecrop.audit import command as audit
from gazecrop.cli import COMMANDS


class Caught(Exception):
    """Carries a command's parser, instead of running the command."""


def parser_of(module: str, *arguments: object) -> argparse.ArgumentParser | None:
    """The parser that a command parses its arguments with; None when it has none."""

    def parse_args(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise Caught(parser)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", parse_args), suppress(SystemExit):
        try:
            importlib.import_module(module).main(*arguments)
        except Caught as caught:
            found: argparse.ArgumentParser = caught.args[0]
            return found
    return None


def rows(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """Each argument and its help, but --help."""
    formatter = argparse.HelpFormatter(parser.prog)
    found = []
    for action in parser._actions:
        if "--help" in action.option_strings:
            continue
        value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        value = " ".join(value) if isinstance(value, tuple) else value
        if action.choices and not action.metavar:
            value = ",".join(map(str, action.choices))
        name = f"{', '.join(action.option_strings)} {value}".strip() if action.option_strings else value
        text = formatter._expand_help(action) if action.help else ""
        found.append((f"`{name}`", text))
    return found


def section(title: str, summary: str, parser: argparse.ArgumentParser | None) -> str:
    text = f"\n## {title}\n\n{summary[:1].upper()}{summary[1:]}.\n"
    if parser and (found := rows(parser)):
        text += "\n" + table(("argument", "meaning"), found)
    return text


def page() -> str:
    text = made_by("the commands' parsers")
    text += "# Command line\n\n`gazecrop COMMAND --help` prints the same. "
    text += "Exit status: 0; 1 when something failed; 2 for wrong arguments.\n"
    for name, (module, summary) in COMMANDS.items():
        if name == "audit":
            overview = (audit.__doc__ or "").strip()
            text += section("gazecrop audit", summary, None) + f"\n```text\n{overview}\n```\n"
            for study, place in audit.COMMANDS.items():
                found = parser_of(f"gazecrop.audit.commands.{place}", study, [])
                if found:
                    text += f"\n### gazecrop audit {study}\n\n{found.description or ''}\n\n" + table(
                        ("argument", "meaning"), rows(found)
                    )
        else:
            text += section(f"gazecrop {name}", summary, parser_of(module, []))
    return text
