"""The package's imports, read from the source: what the layer test checks and the architecture picture shows."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
# From the bottom up. A room imports from lower layers, or from its own layer without a circle. Two rooms exist because
# their users must not import each other: console (of commands and audit) and keys (of parts and http).
LAYERS = [
    "machine",
    "errors settings sources metrics shared_metrics keys",
    "crop picture concurrency",
    "model store client",
    "pipeline",
    "engine jobs",
    "parts python_api",
    "http",
    "app console integrations",
    "audit commands",
    "cli",
    "__main__",
]


def modules(folder: Path, base: Path) -> dict[str, Path]:
    """Dotted name -> file; a package has its own name."""
    return {
        ".".join(f.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): f
        for f in folder.rglob("*.py")
        if "page_setup" not in f.parts  # programs of the set-up, which import nothing of the package
    }


def imports(name: str, file: Path) -> set[str]:
    """Every dotted name that the file imports, at its top or inside a function."""
    found: set[str] = set()
    package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found.update(f"{source}.{alias.name}" for alias in node.names)
    return found


PACKAGE = modules(ROOT / "service" / "gazecrop", ROOT / "service")
RECIPE = modules(ROOT / "model_store", ROOT)
IMPORTS = {name: imports(name, file) for name, file in (PACKAGE | RECIPE).items()}


def room(name: str) -> str:
    """gazecrop.store.redis -> store: the unit that has a level."""
    return name.split(".")[1]


def rooms_used(name: str) -> set[str]:
    """The rooms that a module imports from, its own included."""
    return {room(used) for used in IMPORTS[name] if used.startswith("gazecrop.")} - {"__version__"}


def arrows() -> dict[str, set[str]]:
    """Room -> the other rooms it imports."""
    graph: dict[str, set[str]] = {}
    for name in PACKAGE:
        if name != "gazecrop":
            graph.setdefault(room(name), set()).update(rooms_used(name) - {room(name)})
    return graph
