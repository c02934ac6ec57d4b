"""The Dockerfile names only what exists, and the image holds all that the service needs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.shipping import ROOT, dockerfile, text, variables


def copies() -> Iterator[tuple[list[str], str]]:
    """(sources, destination) of every COPY out of the context."""
    for word, rest in dockerfile():
        if word == "COPY" and "--from=" not in rest:
            *sources, destination = rest.split()
            yield sources, destination


def test_the_image_copies_what_exists() -> None:
    for sources, _ in copies():
        for source in sources:
            assert list(ROOT.glob(source)), f"Dockerfile copies {source}, which is not there"


def test_the_context_holds_what_the_image_copies() -> None:
    kept = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    for source in (source.rstrip("/") for sources, _ in copies() for source in sources):
        assert source in kept or any(Path(source).match(pattern) for pattern in kept), source


def test_the_image_sets_real_settings() -> None:
    words = [w for instruction, rest in dockerfile() if instruction == "ENV" for w in shlex.split(rest)]
    names = {word.partition("=")[0] for word in words}
    assert {n for n in names if n == "PORT" or n.startswith("GAZECROP_")} <= variables()
    assert {"GAZECROP_HOST", "GAZECROP_DATA_DIR", "PORT"} <= names


def test_the_image_is_not_root_and_copies_the_model_last() -> None:
    instructions = dockerfile()
    words = [word for word, _ in instructions]
    assert dict(instructions)["USER"] != "0"
    assert dict(instructions)["EXPOSE"] == "8000"
    last_copy = max(n for n, word in enumerate(words) if word == "COPY")
    assert "model_store/" in instructions[last_copy][1] and words.index("USER") > last_copy


@pytest.mark.parametrize("extra", ["cuda", "heic", "otel", "sources"])
def test_the_image_has_a_lock_for_every_extra(extra: str) -> None:
    assert extra in tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    assert [source for sources, _ in copies() for source in sources if source == f"docker/{extra}.lock"]


def test_a_failed_step_fails_the_build() -> None:
    """Two images of one commit have the same files: no step has an excuse."""
    assert not [rest for word, rest in dockerfile() if word == "RUN" and "||" in rest]


def test_one_place_names_the_base() -> None:
    """By its digest, so that one commit gives one image; it is moved in one line, for every stage."""
    bases = [rest.split()[0] for word, rest in dockerfile() if word == "FROM"]
    stages = {rest.split()[-1] for word, rest in dockerfile() if word == "FROM" and " AS " in rest}
    assert {base for base in bases if base not in stages} == {"${PYTHON}", "lock-${EXTRA:-cpu}"}
    [default] = [rest for word, rest in dockerfile() if word == "ARG" and rest.startswith("PYTHON=")]
    pinned = re.fullmatch(r"PYTHON=(python:3\.\d+\.\d+-slim-\w+)@sha256:[0-9a-f]{64}", default)
    assert pinned is not None
    assert f"inspect --format '{{{{.Manifest.Digest}}}}' {pinned[1]}`" in text("docs/docker.md")
    assert '--build-arg "PYTHON=$base"' in text("docker/build-without-docker.sh")


def test_a_lock_changes_only_its_own_image() -> None:
    """Each lock is copied in a stage of its own, and the build starts from the stage of its extra."""
    locks = [sources for sources, _ in copies() if any(source.endswith(".lock") for source in sources)]
    assert all(len(sources) == 1 for sources in locks)
    assert {source for sources in locks for source in sources} >= {"docker/sbom.lock"}
    stages = [rest.split()[-1] for word, rest in dockerfile() if word == "FROM" and " AS lock-" in rest]
    assert len(stages) == len(locks) and ("FROM", "lock-${EXTRA:-cpu} AS build") in dockerfile()


def test_the_image_has_the_labels_of_the_open_container_initiative() -> None:
    labels = " ".join(rest for word, rest in dockerfile() if word == "LABEL")
    for name in ("title", "licenses", "version", "revision", "source"):
        assert f"org.opencontainers.image.{name}=" in labels


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/app of the image, laid out by the Dockerfile's own COPY lines."""
    app = tmp_path_factory.mktemp("app")
    runtime = text("Dockerfile").rpartition("\nFROM ")[2]
    for sources, destination in copies():
        if f" {destination}\n" not in runtime:
            continue
        for file in (file for source in sources for file in ROOT.glob(source)):
            to = app / destination
            if file.is_dir():
                shutil.copytree(file, to, ignore=shutil.ignore_patterns("__pycache__", "examples"))
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
    return app


@pytest.mark.parametrize(
    "command", [["doctor"], ["audit", "people", "--help"], ["audit", "stability", "--help"]]
)
def test_what_the_image_holds_suffices(command: list[str], image: Path, tmp_path: Path) -> None:
    """On the image's files alone: no README, no recipe, no installed project."""
    program = (
        "import sys, gazecrop; from gazecrop.cli import main;"
        f"assert gazecrop.__file__.startswith({str(image)!r}), gazecrop.__file__;"
        f"sys.exit(main({command}))"
    )
    # -S -s: without the .pth file that leads to this checkout; the packages come by PYTHONPATH.
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    environment = {
        "PYTHONPATH": f"{image / 'service'}:{packages}",
        "GAZECROP_DATA_DIR": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_runtime_sends_no_telemetry(tmp_path: Path) -> None:
    """onnxruntime's telemetry makes itself an id and a queue in the home folder as soon as it is imported."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import gazecrop.model"], env=environment, cwd=ROOT, check=True)
    assert not list(tmp_path.iterdir())
