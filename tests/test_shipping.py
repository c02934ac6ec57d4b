"""What is shipped says the same everywhere and names only what exists. (No container engine is needed for this.)"""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service import __version__
from service.settings import Settings
from tests.conftest import Server, command

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OVERLAYS = ["base", "overlays/cpu", "overlays/gpu"]
# Kinds that kubernetes-validate has no schema for.
CUSTOM = {"Kustomization", "Component", "ScaledObject", "ServiceMonitor", "PrometheusRule"}


def text(path: str) -> str:
    return (ROOT / path).read_text()


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def render(overlay: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [command("kubectl"), "kustomize", str(ROOT / "k8s" / overlay)], capture_output=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


def one(objects: list[dict[str, Any]], kind: str, name: str = "gazecrop") -> dict[str, Any]:
    [found] = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def pod(objects: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod's spec and its container's."""
    spec: dict[str, Any] = one(objects, "Deployment")["spec"]["template"]["spec"]
    [container] = spec["containers"]
    return spec, container


def variables() -> set[str]:
    """Every environment variable that is a setting."""
    names = set()
    for name, field in Settings.model_fields.items():
        names.add(str(field.validation_alias) if field.validation_alias else f"GAZECROP_{name.upper()}")
    return names


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


@pytest.mark.parametrize("lock", ["requirements-dev.lock", "docker/cuda.lock", "docker/heic.lock"])
def test_what_is_tested_is_what_is_served(lock: str) -> None:
    """Every other lock has the runtime's packages in the runtime's versions."""
    runtime, other = pins("requirements.lock"), pins(lock)
    assert {name: other.get(name) for name in runtime} == runtime


def test_the_locks_cover_the_project() -> None:
    def name(requirement: str) -> str:
        return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")

    runtime = {name(r) for r in PROJECT["project"]["dependencies"]}
    assert runtime <= pins("requirements.lock").keys()
    assert {name(r) for r in PROJECT["dependency-groups"]["dev"]} <= pins("requirements-dev.lock").keys()
    for extra in ("cuda", "heic"):
        wanted = {name(r) for r in PROJECT["project"]["optional-dependencies"][extra]}
        assert wanted <= pins(f"docker/{extra}.lock").keys()


def test_torch_is_nowhere_but_in_training() -> None:
    assert all("torch" not in pins(lock) for lock in ("requirements.lock", "requirements-dev.lock"))


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, rest) of each line, continued lines joined."""
    joined = text("Dockerfile").replace("\\\n", " ")
    lines = (line.strip() for line in joined.splitlines())
    return [
        (word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and line[0] != "#")
    ]


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


@pytest.mark.parametrize("dockerfile_extra", ["cuda", "heic"])
def test_the_image_has_a_lock_for_every_extra(dockerfile_extra: str) -> None:
    assert dockerfile_extra in PROJECT["project"]["optional-dependencies"]
    assert [
        source for sources, _ in copies() for source in sources if source == f"docker/{dockerfile_extra}.lock"
    ]


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


def test_what_the_image_holds_suffices(image: Path, tmp_path: Path) -> None:
    """`gazecrop doctor` on the image's files alone: no README, no recipe, no installed project."""
    program = (
        "import sys, service; from service.cli import main;"
        f"assert service.__file__.startswith({str(image)!r}), service.__file__;"
        "sys.exit(main(['doctor']))"
    )
    # -S -s: without the .pth file that leads to this checkout; the packages come by PYTHONPATH.
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    environment = {
        "PYTHONPATH": f"{image}:{packages}",
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


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text("docker-compose.yml"))
    return found


def test_compose_sets_real_settings() -> None:
    for document in (compose(), yaml.safe_load(text("docker/gpu.yml"))):
        names = {line.partition("=")[0] for line in document["services"]["gazecrop"]["environment"]}
        assert names <= variables()


def test_compose_mounts_what_exists() -> None:
    services = compose()["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose()["volumes"] or (ROOT / source).is_file(), volume
    assert services["gazecrop"]["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]
    assert services["gazecrop"]["depends_on"].keys() <= services.keys()


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_compose_waits_for_the_drain() -> None:
    assert seconds(compose()["services"]["gazecrop"]["stop_grace_period"]) > Settings().drain_seconds


def answers(path: Path, *question: str) -> list[str]:
    """What a redis-server on this socket answers to CONFIG GET and the like."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall((" ".join(question) + "\r\n").encode())
        return client.recv(4096).decode().split("\r\n")


SETTINGS_OF_REDIS = {
    "maxmemory": str(512 * 1024 * 1024),
    "maxmemory-policy": "volatile-lru",
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
}


@pytest.mark.redis
@pytest.mark.parametrize("source", ["compose", "kubernetes"])
def test_redis_takes_its_configuration(source: str, tmp_path: Path) -> None:
    """A real redis-server starts with it, and says what it understood."""
    (tmp_path / "data").mkdir()
    if source == "compose":
        arguments = [str(ROOT / "docker" / "redis.conf")]
    else:
        [state] = [
            d for d in documents(ROOT / "k8s/components/redis/redis.yaml") if d["kind"] == "StatefulSet"
        ]
        arguments = list(state["spec"]["template"]["spec"]["containers"][0]["args"])
        arguments[arguments.index("/data")] = str(tmp_path / "data")
    path = tmp_path / "s"
    options = ["--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path / "data")]
    program = [command("redis-server"), *arguments, *options]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        log = ""
        for line in process.stdout:
            log += line
            if "ready to accept connections" in line.lower():
                break
        assert process.poll() is None, log
        for name, value in SETTINGS_OF_REDIS.items():
            assert answers(path, "CONFIG", "GET", name)[4:5] == [value], name
    finally:
        process.kill()
        process.communicate()


def test_every_manifest_is_in_a_kustomization() -> None:
    for folder in {p.parent for p in (ROOT / "k8s").rglob("kustomization.yaml")}:
        [kustomization] = documents(folder / "kustomization.yaml")
        listed = {r for r in kustomization.get("resources", []) if r.endswith(".yaml")}
        assert listed == {p.name for p in folder.glob("*.yaml")} - {"kustomization.yaml"}


@pytest.mark.parametrize(
    "file", [p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "k8s").rglob("*.yaml"))]
)
def test_manifests_follow_kubernetes_schemas(file: str) -> None:
    for document in documents(ROOT / file):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, "1.34", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_kustomize_renders_follows_the_schemas(overlay: str) -> None:
    for document in render(overlay):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, "1.34", strict=True)


def test_the_schemas_catch_an_error() -> None:
    deployment = one(documents(ROOT / "k8s/base/deployment.yaml"), "Deployment")
    deployment["spec"]["replicas"] = "two"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.34", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_and_probes_agree(overlay: str) -> None:
    objects = render(overlay)
    _, container = pod(objects)
    [port] = container["ports"]
    environment = {e["name"]: e for e in container["env"]}
    assert (
        environment["PORT"]["value"]
        == str(port["containerPort"])
        == str(Settings.model_fields["port"].default)
    )
    assert [p["targetPort"] for p in one(objects, "Service")["spec"]["ports"]] == [port["name"]]
    paths = {k: v["httpGet"]["path"] for k, v in container.items() if k.endswith("Probe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert {v["httpGet"]["port"] for k, v in container.items() if k.endswith("Probe")} == {port["name"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_set_real_settings(overlay: str) -> None:
    spec, container = pod(render(overlay))
    assert {e["name"] for e in container["env"]} <= variables()
    assert spec["enableServiceLinks"] is False  # they would be GAZECROP_PORT=tcp://...


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_no_privileges(overlay: str) -> None:
    spec, container = pod(render(overlay))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert str(spec["securityContext"]["runAsUser"]) == dict(dockerfile())["USER"]
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    # With a read-only root, all that is written needs a volume: the store and Python's temporary files.
    assert {m["mountPath"] for m in container["volumeMounts"]} == {"/data", "/tmp"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_time_to_drain(overlay: str) -> None:
    spec, container = pod(render(overlay))
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > before + Settings().drain_seconds


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_selects_the_pods(overlay: str) -> None:
    objects = render(overlay)
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one(objects, "Service")["spec"]["selector"].items() <= labels.items()
    assert one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_one_autoscaler_at_a_time() -> None:
    """KEDA makes its own; two on one deployment fight."""
    kinds = {overlay: [o["kind"] for o in render(overlay)] for overlay in OVERLAYS}
    for found in kinds.values():
        assert found.count("HorizontalPodAutoscaler") + found.count("ScaledObject") == 1
    assert "ScaledObject" in kinds["overlays/gpu"]


def test_the_redis_beside_it_is_the_one_it_uses() -> None:
    objects = render("overlays/cpu")
    [address] = [e["value"] for e in pod(objects)[1]["env"] if e["name"] == "REDIS_URL"]
    service = one(objects, "Service", "gazecrop-redis")
    assert address == f"redis://gazecrop-redis:{service['spec']['ports'][0]['port']}/0"


def test_the_gpu_overlay_demands_a_gpu() -> None:
    _, container = pod(render("overlays/gpu"))
    assert {"name": "GAZECROP_DEVICE", "value": "cuda"} in container["env"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"].endswith("-cuda")


def test_the_image_s_tag_is_the_version() -> None:
    assert pod(render("base"))[1]["image"] == f"gazecrop:{__version__}"
    assert pod(render("overlays/gpu"))[1]["image"] == f"gazecrop:{__version__}-cuda"


def expressions() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of everything that asks Prometheus."""
    for panel in json.loads(text("docker/grafana/gazecrop.json"))["panels"]:
        for target in panel["targets"]:
            yield f"panel {panel['title']}", target["expr"]
    for document in documents(ROOT / "k8s/components/monitoring/monitoring.yaml"):
        for group in document["spec"].get("groups", []):
            for rule in group["rules"]:
                yield f"alert {rule['alert']}", rule["expr"]
    [scaled] = documents(ROOT / "k8s/components/keda/scaledobject.yaml")
    for trigger in scaled["spec"]["triggers"]:
        yield "keda", trigger["metadata"]["query"]


def test_the_dashboard_has_its_eight_panels() -> None:
    panels = json.loads(text("docker/grafana/gazecrop.json"))["panels"]
    assert len(panels) == 8 and len({p["id"] for p in panels}) == 8


def test_every_metric_that_is_asked_for_is_given(server: Server, picture: bytes) -> None:
    urllib.request.urlopen(f"{server.url}/v1/images", data=picture).close()
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        page = answer.read().decode()
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
    given: dict[str, set[str]] = {}  # sample name -> labels seen on it
    for name, kind in re.findall(r"^# TYPE (gazecrop_\w+) (\w+)$", page, re.M):
        given.update({name + suffix: set() for suffix in suffixes[kind]})
    for name, labels in re.findall(r"^(gazecrop_\w+)\{(.*)\} ", page, re.M):
        given.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
    for where, expression in expressions():
        for name, matchers in re.findall(r"(gazecrop_\w+)(?:\{([^}]*)\})?", expression):
            assert name in given, f"{where} names {name}, which /metrics does not have"
            asked = set(re.findall(r"(\w+)\s*=~?\"", matchers))
            assert not given[name] or asked <= given[name], (
                f"{where}: {name} has no label {asked - given[name]}"
            )


@pytest.mark.long
def test_the_load_test_runs_without_a_failure(server: Server, tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("locust")), "-f", str(ROOT / "loadtests/locustfile.py")]
    options = [
        "--host",
        server.url,
        "--headless",
        "-u",
        "3",
        "-r",
        "3",
        "-t",
        "4s",
        "--csv",
        str(tmp_path / "l"),
    ]
    done = subprocess.run(
        [*program, *options], capture_output=True, text=True, cwd=tmp_path, timeout=120, env={"RATE": "5"}
    )
    assert done.returncode == 0, done.stdout + done.stderr  # 1 when any request failed
    *rows, total = (tmp_path / "l_stats.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} >= {"POST", "GET"}
    assert int(total.split(",")[2]) >= 10


def test_ci_runs_what_people_run() -> None:
    assert "make test" in text(".ci/run")


def test_the_command_exists() -> None:
    assert PROJECT["project"]["scripts"] == {"gazecrop": "service.cli:main"}
    done = subprocess.run(
        [Path(sys.executable).with_name("gazecrop"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and all(word in done.stdout for word in ("serve", "crop", "doctor"))
