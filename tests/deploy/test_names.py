"""Every setting, metric, panel, alert, command, option, target and link that a document, a manifest or Compose names is
in the code."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from gazecrop.cli import COMMANDS
from gazecrop.commands.work.metrics import WorkMetrics
from gazecrop.metrics import Metrics
from tests.helpers.shipping import ROOT, text, variables

PROSE = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "k8s/*.md",
        "model_store/*.md",
        "examples/README.md",
        "examples/*/*.md",
    )
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"  # it also names what is no more
)
SHIPPED = sorted(
    path
    for pattern in (
        "k8s/**/*",
        "docker/**/*",
        "docker-compose.yml",
        "Dockerfile",
        "Makefile",
        "loadtests/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix not in (".lock", ".pyc", ".md")
)
FILES = [path.relative_to(ROOT).as_posix() for path in (*PROSE, *SHIPPED)]
PAGES = [path.relative_to(ROOT).as_posix() for path in PROSE]


def test_the_files_are_found() -> None:
    assert {"README.md", "docs/runbooks/GazecropSlow.md", "k8s/README.md", "docker/alerts.yml"} <= set(FILES)
    assert {"k8s/chart/templates/deployment.yaml", "docker-compose.yml", "Dockerfile"} <= set(FILES)


@cache
def read_variables() -> set[str]:
    """Settings, what programs beside the service read from the environment, and what thumbor and Django hold."""
    read = r'(?:environ(?:\.get\(|\[)|Config\.define\(|getattr\(settings, )"(GAZECROP_[A-Z_]+)"'
    programs = [
        *ROOT.glob("loadtests/*.py"),
        *ROOT.glob("model_store/**/*.py"),
        *ROOT.glob("service/**/*.py"),
    ]
    return variables() | {name for file in programs for name in re.findall(read, file.read_text())}


@pytest.mark.parametrize("file", FILES)
def test_settings_exist(file: str) -> None:
    named = set(re.findall(r"\bGAZECROP_[A-Z_]+[A-Z]\b", text(file)))
    assert named <= read_variables()


@cache
def samples() -> set[str]:
    """The names that a scrape has: of a histogram also its parts."""
    suffixes = {"counter": ("_total",), "histogram": ("", "_bucket", "_sum", "_count"), "info": ("_info",)}
    registry = Metrics().registry
    WorkMetrics(registry)
    return {
        family.name + suffix for family in registry.collect() for suffix in suffixes.get(family.type, ("",))
    }


@pytest.mark.parametrize("file", [file for file in FILES if not file.endswith(".py")])
def test_metrics_exist(file: str) -> None:
    # $gazecrop_cache and its zone are nginx's.
    named = set(re.findall(r"(?<![$\w=:])((?:gazecrop|process)_[a-z_]+[a-z])\b", text(file)))
    assert named <= samples() | {"gazecrop_cache"}


def test_the_samples_are_those_of_a_scrape() -> None:
    assert {"gazecrop_requests_total", "gazecrop_stage_seconds_bucket", "gazecrop_store_up"} <= samples()
    assert "gazecrop_requests" not in samples() and "process_cpu_seconds_total" in samples()


@pytest.mark.parametrize("file", PAGES)
def test_panels_and_alerts_exist(file: str) -> None:
    titles = {panel["title"] for panel in json.loads(text("docker/grafana/gazecrop.json"))["panels"]}
    for sentence in re.findall(r"dashboard's ((?:\"[^\"]+\"(?:,? and |, )?)+)", text(file)):
        assert set(re.findall(r'"([^"]+)"', sentence)) <= titles
    alerts = {rule["alert"] for rule in yaml.safe_load(text("docker/alerts.yml"))["groups"][0]["rules"]}
    assert set(re.findall(r"\bGazecrop[A-Z][A-Za-z]+\b", text(file))) <= alerts | {"GazecropError"}


def code(file: str) -> Iterator[str]:
    """The lines of fenced blocks, continued ones joined, and the inline code."""
    page = text(file)
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", page, re.M | re.S):
        yield from block.replace("\\\n", " ").splitlines()
    for paragraph in re.sub(r"^ *```.*?^ *```$", "", page, flags=re.M | re.S).split("\n\n"):
        yield from (found.replace("\n", " ") for found in re.findall(r"`([^`]+)`", paragraph))


def lines(file: str) -> list[str]:
    if file.endswith(".md"):
        return list(code(file))
    return [line.strip().removeprefix("# ") for line in text(file).replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("file", FILES)
def test_targets_of_make_exist(file: str) -> None:
    targets = set(re.findall(r"^([a-z-]+)(?: [a-z-]+)*:", text("Makefile"), re.M))
    targets |= set(re.findall(r"[a-z-]+", re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.M)[1]))  # type: ignore[index]
    for line in lines(file):
        for target in re.findall(r"(?:^|&& |`)make ([a-z][a-z-]*)(?![\w.])", line.strip()):
            # In a comment "make" is also a verb; there the target stands in backticks or begins the line.
            assert target in targets or not file.endswith(".md"), line


def test_commands_are_found_where_they_stand() -> None:
    found = [line.strip() for page in PAGES for line in lines(page)]
    for command in ("gazecrop doctor", "make serve", "make load", "gazecrop serve"):
        assert any(line.startswith(command) for line in found), command
    assert any(re.search("docker run .* gazecrop gazecrop doctor$", line) for line in found)


@cache
def help_of(*command: str) -> str:
    program = [str(Path(sys.executable).with_name("gazecrop")), *command, "--help"]
    done: subprocess.CompletedProcess[str] = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, f"gazecrop {' '.join(command)}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("file", PAGES)
def test_commands_and_their_options_exist(file: str) -> None:
    for line in lines(file):
        for used in re.findall(r"(?:^|&& |\| |; |gazecrop |bin/)gazecrop ([^|;&#>]+)", line.strip()):
            words = used.split()
            if not re.fullmatch(r"[a-z]+", words[0]):  # an option, or a word in capitals for any command
                continue
            assert words[0] in COMMANDS, line
            command = words[:1]
            if words[0] == "audit":
                command += [word for word in words[1:2] if re.fullmatch(r"[a-z-]+", word)]
            known = help_of(*command)
            for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", used):
                assert re.search(rf"{option}\b", known), line


def slug(heading: str) -> str:
    """As git hosts make it: lower case, spaces to hyphens, other signs dropped."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading).lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("file", [*PAGES, "CHANGELOG.md"])
def test_links_lead_somewhere(file: str) -> None:
    prose = re.sub(r"^ *```.*?^ *```$", "", text(file), flags=re.M | re.S)
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        target = (ROOT / file).parent / path if path else ROOT / file
        assert target.exists(), link
        if anchor:
            assert anchor in {slug(h) for h in re.findall(r"^#+ (.+)$", target.read_text(), re.M)}, link


FOLDERS = "|".join(["service", "docs", "docker", "k8s", "tests", "loadtests"])


@pytest.mark.parametrize("file", PAGES)
def test_files_that_are_named_exist(file: str) -> None:
    tracked = set(subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines())
    for name in re.findall(rf"(?<![\w/.-])((?:{FOLDERS})/[\w./-]+\.\w+)\b", text(file)):
        assert name in tracked or re.search("[A-Z]{4}", Path(name).parent.name + Path(name).stem), name
