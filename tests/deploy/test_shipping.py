"""Locks and commands: what is installed is hashed, has no address in it, and is what was tested."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from ctypes.util import find_library
from pathlib import Path

import pytest

from docs.drawings.imports import IMPORTS
from tests.helpers.shipping import ROOT, text

PROJECT = tomllib.loads(text("pyproject.toml"))


@pytest.mark.parametrize(
    "lock", [p.relative_to(ROOT).as_posix() for p in ROOT.glob("**/*.lock") if ".venv" not in str(p)]
)
def test_a_lock_has_hashes_and_no_addresses(lock: str) -> None:
    lines = text(lock).splitlines()
    assert not [
        line for line in lines if "://" in line or line.lstrip().startswith("--") and "--hash=" not in line
    ]
    pins = [n for n, line in enumerate(lines) if not line.startswith(" ")]
    assert pins and all("==" in lines[n] and "--hash=sha256:" in lines[n + 1] for n in pins)


def pins(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text(lock), re.M):
        found.setdefault(name, set()).add(version)
    return found


LOCKS = [
    "requirements-dev.lock",
    "requirements-all.lock",
    "docker/heic.lock",
    "docker/otel.lock",
    "docker/sources.lock",
]


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_tested_is_what_is_served(lock: str) -> None:
    """Every other lock has the runtime's packages in the runtime's versions."""
    runtime, other = pins("requirements.lock"), pins(lock)
    assert {name: other.get(name) for name in runtime} == runtime


def blocks(lock: str) -> dict[str, str]:
    """Each package's line with its markers and hashes."""
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=\S)", text(lock).rstrip("\n"))}


def test_the_gpu_s_lock_is_the_cpu_s_but_for_the_runtime() -> None:
    """The same packages, versions, markers and hashes; onnxruntime-gpu and CUDA instead of onnxruntime."""
    cpu, gpu = blocks("requirements.lock"), blocks("docker/cuda.lock")
    one, other = cpu.pop("onnxruntime"), gpu.pop("onnxruntime-gpu")
    assert one.split()[0].partition("==")[2] == other.split()[0].partition("==")[2]
    cuda = {name for name in gpu if name.startswith("nvidia-")}
    assert {"nvidia-cuda-runtime", "nvidia-cudnn-cu13"} <= cuda
    assert {name: block for name, block in gpu.items() if name not in cuda} == cpu


def test_the_two_runtimes_have_one_range() -> None:
    [cpu] = [r for r in PROJECT["project"]["dependencies"] if r.startswith("onnxruntime")]
    [gpu] = PROJECT["project"]["optional-dependencies"]["cuda"]
    assert gpu.removeprefix("onnxruntime-gpu[cuda,cudnn]") == cpu.removeprefix("onnxruntime")


def test_the_document_installs_the_locked_runtime() -> None:
    named = re.findall(
        r"^pip install --no-deps onnxruntime-gpu==(\S+) +# or onnxruntime==(\S+) ", text("docs/gpu.md"), re.M
    )
    (locked,) = pins("requirements.lock")["onnxruntime"]
    assert named == [(locked, locked)]


def set_up(target: str, **environment: str) -> str:
    """What `make TARGET` would run in a fresh checkout."""
    clean = {
        name: value for name, value in os.environ.items() if name not in ("GAZECROP_DEVICE", "MAKEFLAGS")
    }
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", f"PYTHON={sys.executable}", target],
        env=clean | environment, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def driver(tmp_path: Path) -> str:
    """A folder with a library of the driver's name."""
    library = next(Path("/usr/lib").glob("**/libm.so.6"), None)
    if library is None or platform.machine() != "x86_64":
        pytest.skip("needs Linux on x86-64")
    (tmp_path / "libcuda.so.1").symlink_to(library)
    return str(tmp_path)


def test_a_machine_without_a_driver_takes_the_cpu_s_lock(driver: str) -> None:
    if not find_library("cuda"):
        assert " -r requirements.lock " in set_up("serve") and "cuda.lock" not in set_up("serve")
    assert " -r requirements.lock " in set_up("serve", LD_LIBRARY_PATH=driver, GAZECROP_DEVICE="cpu")


def test_a_machine_with_a_driver_takes_the_gpu_s_lock(driver: str) -> None:
    commands = set_up("serve", LD_LIBRARY_PATH=driver)
    assert " -r docker/cuda.lock " in commands and "requirements.lock" not in commands


def test_the_tests_lock_does_not_overwrite_the_gpu_s_runtime(driver: str) -> None:
    [drop] = re.findall(r"^sed '(.+)' ", set_up(".venv/stamps/dev", LD_LIBRARY_PATH=driver), re.M)
    left = subprocess.check_output(["sed", drop, "requirements-dev.lock"], cwd=ROOT, text=True)
    wanted = blocks("requirements-dev.lock")
    assert wanted.pop("onnxruntime")
    assert left.splitlines() == "\n".join(wanted.values()).splitlines()


def test_the_locks_cover_the_project() -> None:
    def name(requirement: str) -> str:
        return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")

    runtime = {name(r) for r in PROJECT["project"]["dependencies"]}
    assert runtime <= pins("requirements.lock").keys()
    assert {name(r) for r in PROJECT["dependency-groups"]["dev"]} <= pins("requirements-dev.lock").keys()
    for extra in ("cuda", "heic", "otel", "sources"):
        wanted = {name(r) for r in PROJECT["project"]["optional-dependencies"][extra]}
        assert wanted <= pins(f"docker/{extra}.lock").keys()


# Modules of other systems, which run them; and pydantic_core, whose version pydantic fixes.
NOT_NAMED = {"django", "thumbor", "tornado", "wagtail", "pydantic_core"}
MODULES = {"PIL": "pillow", "opentelemetry": "opentelemetry-sdk", "python_multipart": "python-multipart"}


def test_what_the_package_imports_is_named() -> None:
    """Not only what another package happens to bring: that may end with its next release."""
    project = PROJECT["project"]
    stated = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    named = {re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0].lower() for each in stated}
    roots = {
        used.partition(".")[0]
        for module, all_used in IMPORTS.items()
        if module.split(".")[0] == "gazecrop"
        for used in all_used
    }
    others = roots - sys.stdlib_module_names - {"gazecrop"} - NOT_NAMED
    assert {"numpy", "httpcore", "idna"} <= others
    assert {MODULES.get(root, root).replace("_", "-") for root in others} <= named


def test_no_document_installs_from_a_registry() -> None:
    """The project is installed from its checkout: '.[cuda]', not 'gazecrop[cuda]', which would be another project's."""
    extras = "|".join(PROJECT["project"]["optional-dependencies"])
    for file in [
        ROOT / "README.md",
        *(ROOT / "service").glob("**/*.py"),
        *(ROOT / "model_store").glob("*.md"),
        *(ROOT / "docs").glob("**/*.md"),
        *(ROOT / "examples").glob("*/*"),
        ROOT / "k8s/README.md",
    ]:
        if file.is_file():
            assert not re.search(rf"(?<!/)gazecrop\[({extras})\]", file.read_text()), file


def test_torch_is_nowhere_but_in_training() -> None:
    assert all("torch" not in pins(lock) for lock in ("requirements.lock", "requirements-dev.lock"))


def test_ci_runs_what_people_run() -> None:
    assert "make test" in text(".ci/run")


def test_ci_forbids_skips_by_itself(tmp_path: Path) -> None:
    """In a checkout of nothing but .ci/run, with a `make` that prints what it was given."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "$* CI=$CI"\n')
    make.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    out = subprocess.run(
        [tmp_path / ".ci" / "run"], env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout == "test CI=true\n"


def test_the_command_exists() -> None:
    assert PROJECT["project"]["scripts"] == {"gazecrop": "gazecrop.cli:main"}
    done = subprocess.run(
        [Path(sys.executable).with_name("gazecrop"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and all(word in done.stdout for word in ("serve", "crop", "doctor"))
