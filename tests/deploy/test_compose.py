"""docker-compose.yml and Redis' configuration, checked without an engine and with a real redis-server."""

import re
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gazecrop.settings import Settings
from tests.conftest import RedisServer, command
from tests.helpers.shipping import ROOT, dockerfile, documents, text, variables


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text("docker-compose.yml"))
    return found


def test_compose_sets_real_settings() -> None:
    for document in (compose(), yaml.safe_load(text("docker/gpu.yml"))):
        names = {line.partition("=")[0] for line in document["services"]["gazecrop"]["environment"]}
        assert {name for name in names if not name.startswith(("OTEL_", "AWS_"))} <= variables()


def test_compose_passes_on_the_variables_of_opentelemetry() -> None:
    """Those that the page on tracing names, and only where the shell sets them."""
    lines = compose()["services"]["gazecrop"]["environment"]
    named = set(re.findall(r"\bOTEL_[A-Z_]+[A-Z]\b", text("docs/tracing.md")))
    assert {line for line in lines if line.startswith("OTEL_")} == named
    assert "GAZECROP_TRACING" in lines


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


def gigabytes(limit: str) -> float:
    number = limit.rpartition(":-")[2].removesuffix("}")
    return float(number[:-1]) * {"m": 2**20, "g": 2**30}[number[-1]] / 2**30


def test_every_service_has_a_memory_limit_and_rotated_logs() -> None:
    """Docker's own default keeps logs without end."""
    for name, service in compose()["services"].items():
        assert 0.25 <= gigabytes(service["mem_limit"]) <= 4, name
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
        assert service["restart"] == "unless-stopped"


def test_the_memory_limits_hold_what_the_settings_allow() -> None:
    services = compose()["services"]
    limit = gigabytes(services["gazecrop"]["mem_limit"]) * 2**30
    budget = Settings(memory_megabytes=limit / 1e6).budget()
    assert (
        0.75 * budget > 1.3e9
    )  # a crop of a progressive CMYK JPEG of 100 megapixels, the most of one request
    assert gigabytes(services["redis"]["mem_limit"]) * 2**30 >= 2 * int(SETTINGS_OF_REDIS["maxmemory"])


def test_prometheus_keeps_what_it_measured() -> None:
    assert "prometheus:/prometheus" in compose()["services"]["prometheus"]["volumes"]
    assert "prometheus" in compose()["volumes"]


def test_four_services_behind_nginx() -> None:
    """`docker compose --profile scale up`: the service and three more, from the same image, without a port."""
    services = compose()["services"]
    one, more, nginx = services["gazecrop"], services["gazecrop-more"], services["nginx"]
    assert more["deploy"]["replicas"] == 3 and more["ports"] == []
    assert more["profiles"] == nginx["profiles"] == ["scale"] and "profiles" not in one
    added = {"profiles", "deploy", "ports"}
    assert {k: v for k, v in more.items() if k not in added} == {
        k: v for k, v in one.items() if k not in added
    }
    upstreams = set(re.findall(r"server ([a-z-]+):8000 ", text("docker/nginx.conf")))
    [discovery] = yaml.safe_load(text("docker/prometheus.yml"))["scrape_configs"][0]["dns_sd_configs"]
    assert upstreams == set(discovery["names"]) == nginx["depends_on"].keys() == {"gazecrop", "gazecrop-more"}
    [listen] = re.findall(r"listen (\d+);", text("docker/nginx.conf"))
    assert nginx["ports"][0].endswith(f":{listen}")


def test_nginx_leaves_the_size_of_bodies_to_the_service() -> None:
    [limit] = re.findall(r"client_max_body_size (\d+)m;", text("docker/nginx.conf"))
    largest = max(Settings().max_bytes, Settings().max_google_body_bytes)
    assert largest < int(limit) * 2**20 < 1.2 * largest


def test_the_gpu_s_image_has_a_name_of_its_own() -> None:
    """So that `up` with the GPU's file never finds the CPU's image."""
    gpu = yaml.safe_load(text("docker/gpu.yml"))["services"]["gazecrop"]
    assert gpu["image"] != compose()["services"]["gazecrop"]["image"]
    assert gpu["build"]["args"] == {"EXTRA": "cuda"}


def redis_cli(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command("redis-cli"), *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.redis
def test_the_probes_of_redis_fail_on_an_error(redis_server: RedisServer) -> None:
    """Without -e an answer such as LOADING or NOAUTH would be healthy."""
    [state] = [d for d in documents(ROOT / "k8s/components/redis/redis.yaml") if d["kind"] == "StatefulSet"]
    [container] = state["spec"]["template"]["spec"]["containers"]
    probe = ["redis-cli", "-e", "ping"]
    assert container["readinessProbe"]["exec"]["command"] == probe
    assert compose()["services"]["redis"]["healthcheck"]["test"] == ["CMD", *probe]
    _, *options, ping = probe
    assert redis_cli("-s", redis_server.path, *options, ping).returncode == 0
    assert redis_cli("-s", redis_server.path, "CONFIG", "SET", "requirepass", "secret").returncode == 0
    assert redis_cli("-s", redis_server.path, *options, ping).returncode != 0
    assert redis_cli("-s", redis_server.path, ping).returncode == 0


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
    """A real redis-server starts with it; CONFIG GET returns the values."""
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


def test_compose_says_that_it_is_open_and_publishes_on_loopback_only() -> None:
    for service in compose()["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "GAZECROP_OPEN=${GAZECROP_OPEN-true}" in compose()["services"]["gazecrop"]["environment"]


def test_the_image_and_kubernetes_do_not_say_that_they_are_open() -> None:
    assert not [word for word, rest in dockerfile() if word == "ENV" and "GAZECROP_OPEN" in rest]
    for file in (ROOT / "k8s").glob("**/*.yaml"):
        assert "GAZECROP_OPEN" not in file.read_text(), file
