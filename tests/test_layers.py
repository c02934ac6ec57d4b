"""Import rules between the rooms of the package. A room that is in no layer fails here."""

import sys
from graphlib import TopologicalSorter

import pytest

from docs.drawings.imports import IMPORTS, LAYERS, PACKAGE, arrows, room, rooms_used

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}


@pytest.mark.parametrize("name", [name for name in PACKAGE if name != "gazecrop"])
def test_imports_point_downwards(name: str) -> None:
    assert room(name) in LEVEL, f"{name} is in no layer of docs/drawings/imports.py"
    upwards = {used for used in rooms_used(name) if LEVEL.get(used, 99) > LEVEL[room(name)]}
    assert not upwards, f"{name} imports {sorted(upwards)}, which are above it"


def test_no_circles() -> None:
    TopologicalSorter(arrows()).prepare()  # raises CycleError, which names the circle


def importers(package: str) -> set[str]:
    return {
        name for name, used in IMPORTS.items() for u in used if u == package or u.startswith(f"{package}.")
    }


def test_the_package_never_imports_the_recipe() -> None:
    assert not {name for name in importers("model_store") if name.startswith("gazecrop")}


def test_audit_and_commands_are_independent() -> None:
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
    assert package <= {
        "gazecrop.model",
        "gazecrop.audit.material.faces",
        "gazecrop.audit.material.saliency_models",
    }


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


OUTSIDE: dict[str, set[str]] = {
    "gazecrop.integrations": set(),
    "gazecrop.integrations.django": {"django"},
    "gazecrop.integrations.imgproxy": set(),
    "gazecrop.integrations.remote": set(),
    "gazecrop.integrations.thumbor": {"thumbor", "tornado", "PIL"},
    "gazecrop.integrations.wagtail": {"django", "wagtail"},
}


@pytest.mark.parametrize("name", [n for n in PACKAGE if n.startswith("gazecrop.integrations")])
def test_an_integration_imports_its_own_system_alone(name: str) -> None:
    """So that each runs in the environment of its system, over HTTP without the package's dependencies."""
    roots = {used.split(".")[0] for used in IMPORTS[name]} - sys.stdlib_module_names - {"gazecrop"}
    assert roots <= OUTSIDE[name]
    assert rooms_used(name) <= {"integrations"}


def test_nothing_imports_the_integrations() -> None:
    assert all(name.startswith("gazecrop.integrations.") for name in importers("gazecrop.integrations"))
