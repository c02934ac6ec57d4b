"""HTTP: every path with its parameters and answers, from the OpenAPI document."""

from typing import Any

from docs.reference.markdown import made_by, table
from gazecrop.app import create_app
from gazecrop.settings import Settings


def kind(schema: dict[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for many in ("anyOf", "oneOf"):
        if many in schema:
            return " or ".join(kind(each) for each in schema[many] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    bounds = [f"{sign} {schema[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in schema]
    return " ".join([str(schema.get("type", "")), ", ".join(bounds)]).strip()


def parameters(operation: dict[str, Any]) -> str:
    rows = []
    for one in operation.get("parameters", ()):
        schema = one.get("schema", {})
        default = schema.get("default")
        rows.append(
            (
                f"`{one['name']}`" + (", required" if one.get("required") else ""),
                one["in"],
                kind(schema),
                "-" if default is None else f"`{default}`",
                one.get("description") or schema.get("description") or "",
            )
        )
    return "\n" + table(("parameter", "in", "value", "default", "meaning"), rows) if rows else ""


def answers(operation: dict[str, Any]) -> str:
    rows = [
        (
            status,
            ", ".join(f"`{each}`" for each in answer.get("content", ())) or "-",
            answer.get("description", ""),
        )
        for status, answer in operation["responses"].items()
    ]
    return "\n" + table(("status", "media type", "meaning"), rows)


def page() -> str:
    settings = Settings()
    document = create_app(settings).api.openapi()
    text = made_by("the OpenAPI document")
    text += "# HTTP\n\nThe server has the same as `/openapi.json`, with the schemas of all bodies, and as `/docs`.\n"
    text += "Errors: [errors](errors.md).\n"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text += f"\n## {method.upper()} {path}\n\n{operation.get('summary', '')}.\n"
            if operation.get("description"):
                text += f"\n{operation['description'].strip()}\n"
            text += parameters(operation) + answers(operation)
    return text.replace("..\n", ".\n")
