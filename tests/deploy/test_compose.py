"""docker-compose.yml and Redis' configuration, checked without an engine and with a real redis-server."""

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gazecrop.settings import Settings
from tests.conftest import command
from tests.helpers.shipping import ROOT, documents, text, variables


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
