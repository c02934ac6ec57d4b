"""Settings: names, types, defaults from the class, units and reasons from its comments."""

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from pydantic_core import PydanticUndefined

from docs.reference.markdown import made_by, table
from gazecrop.settings import Settings

# Defaults that depend on the machine.
COMPUTED = {"workers": "the cores"}


@dataclass
class Group:
    """Settings that follow each other without an empty line, with the comment above them."""

    comment: str = ""
    rows: list[tuple[str, str]] = field(default_factory=list)  # name of the field, its own comment


def groups() -> Iterator[Group]:
    """Of the class, in order."""
    source = textwrap.dedent(inspect.getsource(Settings))
    lines = source.splitlines()
    [body] = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    fields = {
        node.lineno - 1: node
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    group, above = Group(), list[str]()
    for number, line in enumerate(lines):
        text = line.strip()
        if text.startswith("@"):
            break
        if not text and (group.rows or above):
            if group.rows:
                yield group
            group, above = Group(), []
        elif text.startswith("#"):
            above.append(text.removeprefix("#").strip())
        elif number in fields:
            node = fields[number]
            after = (
                lines[(node.end_lineno or number) - 1][node.end_col_offset :]
                .strip()
                .removeprefix("#")
                .strip()
            )
            if above and not group.rows and not group.comment:
                group.comment, above = " ".join(above), []
            group.rows.append((node.target.id, " ".join([*above, after]).strip()))  # type: ignore[union-attr]
            above = []
    if group.rows:
        yield group


def variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return str(alias) if alias else f"GAZECROP_{name.upper()}"


def kind(annotation: Any) -> str:
    """A type in words."""
    if get_origin(annotation) is typing.Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    parts = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) is tuple:
        return "a list, comma-separated"
    if parts and get_origin(annotation) is typing.Annotated:
        return kind(parts[0])
    if parts:
        return kind(parts[0])
    names = {
        "str": "text",
        "SecretStr": "text, secret",
        "int": "an integer",
        "float": "a number",
        "bool": "`true`, `false`",
    }
    return names.get(annotation.__name__, "a path")


def limits(name: str) -> str:
    """The bounds of a number."""
    bounds = []
    for one in Settings.model_fields[name].metadata:
        for sign, attribute in (("≥", "ge"), (">", "gt"), ("≤", "le"), ("<", "lt")):
            if (value := getattr(one, attribute, None)) is not None:
                bounds.append(f"{sign} {value:g}" if isinstance(value, float) else f"{sign} {value}")
    return ", ".join(bounds)


def default(name: str) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    value = Settings.model_fields[name].default
    if value is None or value == () or value == "" or value is PydanticUndefined:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def described(comment: str) -> str:
    return re.sub(r"([.!:]) +", r"\1 ", comment)


def page() -> str:
    text = made_by("service/gazecrop/settings.py")
    text += "# Settings\n\nEnvironment variables, read once at start. A wrong value stops the start, in one line.\n"
    text += "`gazecrop doctor` checks them without starting a server.\n"
    for group in groups():
        title, _, rest = group.comment.partition(". ")
        text += f"\n## {title.rstrip('.') or 'More'}\n\n"
        if rest:
            text += rest + "\n\n"
        text += table(
            ("variable", "value", "default", "unit, reason"),
            (
                (
                    f"`{variable(name)}`",
                    " ".join(filter(None, (kind(Settings.model_fields[name].annotation), limits(name)))),
                    default(name),
                    described(comment),
                )
                for name, comment in group.rows
            ),
        )
    return text
