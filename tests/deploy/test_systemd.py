"""docs/systemd.md: its unit, its Redis, its upstream for nginx and its configuration of Prometheus."""

import re
import subprocess
from pathlib import Path

import yaml

from gazecrop.settings import Settings
from tests.conftest import command
from tests.deploy.test_compose import SETTINGS_OF_REDIS
from tests.helpers.shipping import text, variables


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text("docs/systemd.md"), re.M | re.S)


def environment() -> dict[str, str]:
    """What the page sets, in the unit and in /etc/gazecrop.env."""
    lines = "".join(blocks("ini")).replace("Environment=", "")
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", lines, re.M))


def test_the_environment_is_of_settings() -> None:
    assert environment().keys() - {"GLIBC_TUNABLES"} <= variables()
    assert {"REDIS_URL", "GAZECROP_ID_KEY", "GAZECROP_API_KEYS", "GAZECROP_DATA_DIR"} <= environment().keys()
    assert environment()["PORT"] == "%i"  # systemd puts the instance's name there


def test_large_pages_are_the_same_everywhere() -> None:
    value = environment()["GLIBC_TUNABLES"]
    assert f"ENV GLIBC_TUNABLES={value}\n" in text("Dockerfile")
    assert re.search(rf"^serve .*: export GLIBC_TUNABLES \?= {re.escape(value)}$", text("Makefile"), re.M)


def test_the_unit_waits_for_the_drain() -> None:
    unit = blocks("ini")[0]
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.M)
    assert int(seconds) > Settings().drain_seconds
    [limit] = re.findall(r"^MemoryMax=(\d+)M$", unit, re.M)
    assert f"mem_limit: ${{MEMORY_LIMIT:-{limit}m}}" in text("docker-compose.yml")


def test_redis_has_the_settings_of_compose() -> None:
    """Which a real redis-server takes: test_compose.py."""
    [lines] = blocks("text")
    shipped = [line for line in text("docker/redis.conf").splitlines() if line and line[0] != "#"]
    assert lines.splitlines() == [line for line in shipped if line.split()[0] in SETTINGS_OF_REDIS]


def test_the_targets_are_the_instances(tmp_path: Path) -> None:
    targets = [f"127.0.0.1:{port}" for port in re.findall(r"gazecrop@(\d+)", text("docs/systemd.md"))]
    assert len(targets) == 2
    [configuration] = blocks("yaml")
    [scrape] = yaml.safe_load(configuration)["scrape_configs"]
    assert scrape == {"job_name": "gazecrop", "static_configs": [{"targets": targets}]}
    [upstream] = blocks("nginx")
    assert re.findall(r"server (\S+) max_fails=0;", upstream) == targets
    (tmp_path / "prometheus.yml").write_text(configuration)
    (tmp_path / "gazecrop.yml").write_text(text("docker/alerts.yml"))
    program = [command("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nginx_takes_the_upstream_in_the_place_of_its_page_s(tmp_path: Path) -> None:
    [page] = re.findall(r"^```nginx\n(.*?)^```$", text("docs/nginx.md"), re.M | re.S)
    [upstream] = blocks("nginx")
    page, count = re.subn(r"upstream gazecrop \{.*?\n\}\n", upstream, page, flags=re.S)
    assert count == 1
    page = page.replace("listen 80;", f"listen unix:{tmp_path}/socket;")
    page = page.replace("/var/cache/nginx/gazecrop", f"{tmp_path}/cache")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{page}\n}}\n")
    program = [
        command("nginx", "/usr/sbin/nginx"),
        "-t",
        "-e",
        f"{tmp_path}/log",
        "-c",
        f"{tmp_path}/nginx.conf",
    ]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
