"""docs/systemd.md and docs/nginx.md as an engineer follows them: Redis, two replicas, nginx below a prefix and
Prometheus with the shipped rules, each from the text of its page. Only ports, folders and the waits of the alerts are
other ones; systemd does not run here, so that the units' environment is given to the processes."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.conftest import command, free_port
from tests.deploy.test_prometheus import SOON, firing
from tests.deploy.test_systemd import blocks, environment
from tests.helpers.contract import ready, until
from tests.helpers.nginx import nginx
from tests.helpers.page import Open, open_about
from tests.helpers.pictures import jpeg
from tests.helpers.shipping import text

pytestmark = [pytest.mark.long, pytest.mark.browser, pytest.mark.redis]


@contextmanager
def running(program: list[str], log: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("GAZECROP_") and k != "REDIS_URL"}
    with log.open("wb") as out:
        process = subprocess.Popen(program, env=inherited | variables, cwd=log.parent, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=40)


def proxied(page: str, ports: dict[str, str], folder: Path, listen: int) -> str:
    """The configuration of docs/nginx.md with the upstream of docs/systemd.md."""
    [upstream] = blocks("nginx")
    page, count = re.subn(r"upstream gazecrop \{.*?\n\}\n", upstream, page, flags=re.S)
    assert count == 1
    for written, used in ports.items():
        page = page.replace(f"127.0.0.1:{written}", f"127.0.0.1:{used}")
    page = page.replace("listen 80;", f"listen 127.0.0.1:{listen};")
    return page.replace("server_name crops.example.com;", "server_name 127.0.0.1;").replace(
        "/var/cache/nginx/gazecrop", f"{folder}/cache"
    )


def test_from_the_pages_to_a_crop_and_an_alert(open_page: Open, tmp_path: Path) -> None:
    ports = {written: str(free_port()) for written in ("8001", "8002")}
    redis, web, metrics = free_port(), free_port(), free_port()
    settings = environment()
    settings["REDIS_URL"] = settings["REDIS_URL"].replace(":6379/", f":{redis}/") + "?socket_timeout=2"
    serve = [str(Path(sys.executable).with_name("gazecrop")), "serve"]
    [lines] = blocks("text")
    [configuration] = blocks("yaml")
    for written, used in ports.items():
        configuration = configuration.replace(f"127.0.0.1:{written}", f"127.0.0.1:{used}")
    (tmp_path / "redis.conf").write_text(f"port {redis}\nbind 127.0.0.1\ndir {tmp_path}\n{lines}")
    soon = configuration.replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
    (tmp_path / "prometheus.yml").write_text(soon)
    (tmp_path / "gazecrop.yml").write_text(SOON)
    [page] = re.findall(r"^```nginx\n(.*?)^```$", text("docs/nginx.md"), re.M | re.S)
    with ExitStack() as started:
        conf = str(tmp_path / "redis.conf")
        started.enter_context(running([command("redis-server"), conf], tmp_path / "redis.log"))
        replicas = []
        for port in ports.values():
            own = {"PORT": port, "GAZECROP_DATA_DIR": str(tmp_path / port), "GAZECROP_DEVICE": "cpu"}
            log = tmp_path / f"{port}.log"
            replicas.append(started.enter_context(running(serve, log, **settings | own)))
        started.enter_context(nginx(proxied(page, ports, tmp_path, web), tmp_path))
        program = [
            command("prometheus"),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/metrics",
            f"--web.listen-address=127.0.0.1:{metrics}",
        ]
        prometheus = started.enter_context(running(program, tmp_path / "prometheus.log"))
        for port, replica in zip(ports.values(), replicas, strict=True):
            until(ready(f"http://127.0.0.1:{port}/readyz", replica, tmp_path / f"{port}.log"), 60)
        until(ready(f"http://127.0.0.1:{metrics}/-/ready", prometheus, tmp_path / "prometheus.log"), 60)

        # A picture through the page, behind the prefix, with the key.
        shown = open_page(f"http://127.0.0.1:{web}/crops")
        shown.set_input_files("#file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg(seed=77)})
        shown.locator("#key-input").fill(settings["GAZECROP_API_KEYS"])
        shown.get_by_role("button", name="Continue").click()
        expect(shown.locator("#result")).to_be_visible()
        expect(shown.locator("body")).not_to_have_class("busy")
        id = open_about(shown)
        # Its crop through nginx: from either replica, as both share the map.
        with httpx.Client(
            base_url=f"http://127.0.0.1:{web}/crops",
            headers={"authorization": f"Bearer {settings['GAZECROP_API_KEYS']}"},
        ) as api:
            answers = [api.get(f"/v1/images/{id}/crops/1:1") for _ in range(8)]
            assert {answer.status_code for answer in answers} == {200}
            assert len({answer.content for answer in answers}) == 1
            for port in ports.values():
                direct = httpx.get(f"http://127.0.0.1:{port}/v1/images/{id}/crops/1:1", headers=api.headers)
                assert direct.content == answers[0].content
            # One replica stops: the alert fires, and nginx still answers.
            alerts = httpx.Client(base_url=f"http://127.0.0.1:{metrics}/api/v1", timeout=20)
            started.callback(alerts.close)
            targets = {"query": 'sum(up{job="gazecrop"})'}

            def up() -> str:
                [found] = alerts.get("/query", params=targets).json()["data"]["result"] or [
                    {"value": [0, ""]}
                ]
                value: str = found["value"][1]
                return value

            until(lambda: up() == "2", 30)
            assert "GazecropDown" not in firing(alerts)
            replicas[0].terminate()
            assert replicas[0].wait(timeout=40) == 0
            until(lambda: firing(alerts).get("GazecropDown") == "gazecrop", 90)
            assert "GazecropAllDown" not in firing(alerts)
            assert {api.get(f"/v1/images/{id}/crops/1:1").status_code for _ in range(4)} == {200}
