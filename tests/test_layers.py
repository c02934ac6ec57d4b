"""The arrows of DESIGN.md: who may import whom. A module that is in no layer fails here: put it into one."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the bottom up. A module imports from lower layers, or from its own without a circle.
LAYERS = [
    "errors settings ratios grid metrics colour containers flight gate caching confidence",
    "headers placing points",
    "decode cropping render heatmap explain model batcher store auth reports",
    "params answers body bodies problems",
    "pipeline",
    "parts",
    "routes fast cors",
    "app protocol",
    "commands",
    "cli",
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}


def modules(package: str) -> dict[str, Path]:
    """Dotted name -> file, packages by their own name."""
    files = (ROOT / package).rglob("*.py")
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


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


SERVICE = modules("service")
IMPORTS = {name: imports(name, file) for name, file in (SERVICE | modules("model_store")).items()}


def part(name: str) -> str:
    """service.store.redis -> store: the unit that has a level."""
    return name.split(".")[1]


def parts_used(name: str) -> set[str]:
    return {part(used) for used in IMPORTS[name] if used.startswith("service.")}


@pytest.mark.parametrize("name", [name for name in SERVICE if name != "service"])
def test_imports_point_downwards(name: str) -> None:
    assert part(name) in LEVEL, f"{name} is in no layer of {Path(__file__).name}"
    upwards = {used for used in parts_used(name) if LEVEL.get(used, -1) > LEVEL[part(name)]}
    assert not upwards, f"{name} imports {sorted(upwards)}, which stand above it"


def test_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for name in SERVICE:
        if name != "service":
            graph.setdefault(part(name), set()).update(parts_used(name) - {part(name)})
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def importers(package: str) -> set[str]:
    return {
        name for name, used in IMPORTS.items() for u in used if u == package or u.startswith(f"{package}.")
    }


def test_service_never_imports_model_store() -> None:
    """The dispatcher apart, which may start the audit when it is asked for."""
    service = {name for name in importers("model_store") if name.startswith("service.")}
    assert service <= {"service.cli"}
    assert {u for name in service for u in IMPORTS[name] if u.startswith("model_store")} <= {
        "model_store.audit"
    }


def test_onnxruntime_has_one_importer() -> None:
    """All that must be said to it once (providers, threads, warm-up) is said in one place."""
    assert {name for name in importers("onnxruntime") if name.startswith("service.")} <= {"service.model"}


def test_torch_lives_in_the_recipe() -> None:
    assert all(name.startswith("model_store.recipe") for name in importers("torch"))


def test_the_edge_does_no_arithmetic() -> None:
    assert not {name for name in importers("numpy") if part(name) in {"routes", "app", "protocol", "cli"}}


def test_the_core_knows_no_http() -> None:
    core = {name for layer in LAYERS[:3] for name in layer.split()} - {"metrics", "auth"}
    framework = importers("fastapi") | importers("starlette") | importers("uvicorn")
    assert not {name for name in framework if part(name) in core}
