"""The arrows of the architecture: which room may import which. A room that stands in no layer fails here."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the bottom up. A room imports from lower layers, or from its own layer without a circle.
LAYERS = [
    "errors settings metrics keys",
    "crop picture concurrency",
    "model store",
    "pipeline",
    "parts library",
    "http",
    "app console",
    "audit commands",
    "cli",
    "__main__",
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}


def modules(folder: Path, base: Path) -> dict[str, Path]:
    """Dotted name -> file, packages by their own name."""
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
    return {room(used) for used in IMPORTS[name] if used.startswith("gazecrop.")} - {"__version__"}


@pytest.mark.parametrize("name", [name for name in PACKAGE if name != "gazecrop"])
def test_imports_point_downwards(name: str) -> None:
    assert room(name) in LEVEL, f"{name} is in no layer of {Path(__file__).name}"
    upwards = {used for used in rooms_used(name) if LEVEL.get(used, 99) > LEVEL[room(name)]}
    assert not upwards, f"{name} imports {sorted(upwards)}, which stand above it"


def test_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for name in PACKAGE:
        if name != "gazecrop":
            graph.setdefault(room(name), set()).update(rooms_used(name) - {room(name)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def importers(package: str) -> set[str]:
    return {
        name for name, used in IMPORTS.items() for u in used if u == package or u.startswith(f"{package}.")
    }


def test_the_package_never_imports_the_recipe() -> None:
    assert not {name for name in importers("model_store") if name.startswith("gazecrop")}


def test_the_audit_stands_apart_from_the_commands() -> None:
    """They share `console`; neither imports the other. The dispatcher loads both by name."""
    assert not {name for name in importers("gazecrop.commands") if name.startswith("gazecrop.audit")}
    assert not {name for name in importers("gazecrop.audit") if name.startswith("gazecrop.commands")}


def test_making_never_imports_judging() -> None:
    judge = importers("model_store.recipe.judge")
    assert not {name for name in judge if name.startswith("model_store.recipe.make.")}


def test_onnxruntime_has_one_importer() -> None:
    """All that must be configured once (providers, threads, warm-up) is in one place. The audit also runs other
    people's files: a face detector, a network to compare with."""
    package = {name for name in importers("onnxruntime") if name.startswith("gazecrop")}
    assert package <= {"gazecrop.model", "gazecrop.audit.material.faces", "gazecrop.audit.material.looks"}


def test_torch_lives_in_the_recipe() -> None:
    assert all(name.startswith("model_store.recipe") for name in importers("torch"))


def test_the_http_interface_does_no_arithmetic() -> None:
    assert not {
        name
        for name in importers("numpy")
        if name.startswith("gazecrop.") and room(name) in {"http", "app", "cli"}
    }


FRAMEWORKS = ("fastapi", "starlette", "uvicorn", "pydantic", "pydantic_settings", "prometheus_client")


@pytest.mark.parametrize("name", [n for n in PACKAGE if n.split(".")[1:2] in (["crop"], ["picture"])])
def test_the_core_is_pure(name: str) -> None:
    """crop/ and picture/: no framework, no settings, no clock."""
    roots = {used.split(".")[0] for used in IMPORTS[name]}
    assert not roots & {*FRAMEWORKS, "time", "datetime", "asyncio"}
    assert rooms_used(name) <= {"errors", "crop", "picture"}


def test_concurrency_does_not_depend_on_pictures() -> None:
    for name in PACKAGE:
        if name.startswith("gazecrop.concurrency."):
            assert rooms_used(name) <= {"errors", "concurrency"}
