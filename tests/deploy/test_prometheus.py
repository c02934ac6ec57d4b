"""A real Prometheus scrapes a real server: no panel of the dashboard is empty, no rule fails."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import Server, command, free_port, serving
from tests.helpers.shipping import ROOT, text


def locust(url: str) -> subprocess.Popen[bytes]:
    """The load test, for 15 s. Its thresholds are those of other tests."""
    options = ["--host", url, "-u", "2", "-r", "2", "-t", "15s"]
    program = [sys.executable, "-m", "loadtests.run", *options]
    return subprocess.Popen(program, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def errors(url: str) -> None:
    """The kinds of requests that a panel shows and the load test does not send."""
    assert httpx.post(f"{url}/v1/images", content=b"no picture").status_code == 415
    assert httpx.get(f"{url}/v1/images/{'0' * 32}").status_code == 404


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One that a test may stop."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def prometheus(server: Server, tmp_path: Path) -> Iterator[httpx.Client]:
    """With the configuration of Compose, the server's own address in place of its names, after the load test."""
    configuration: dict[str, Any] = yaml.safe_load(text("docker/prometheus.yml"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    [scrape] = configuration["scrape_configs"]
    del scrape["dns_sd_configs"]
    scrape["static_configs"] = [{"targets": [server.url.removeprefix("http://")]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (tmp_path / "alerts.yml").write_text(text("docker/alerts.yml"))
    address = f"127.0.0.1:{free_port()}"
    program = [
        command("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--web.listen-address={address}",
    ]
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([*program, f"--storage.tsdb.path={tmp_path}/data"], stdout=log, stderr=log)
    try:
        load, deadline = locust(server.url), time.monotonic() + 120
        while load.poll() is None:
            assert time.monotonic() < deadline
            errors(server.url)
            time.sleep(0.5)
        assert process.poll() is None, (tmp_path / "log").read_text()
        with httpx.Client(base_url=f"http://{address}/api/v1") as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


@pytest.mark.long
def test_no_panel_is_empty_and_no_rule_fails(prometheus: httpx.Client) -> None:
    empty = []
    for panel in json.loads(text("docker/grafana/gazecrop.json"))["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$namespace", ".*").replace("$instance", ".*")
            answer = prometheus.get("/query", params={"query": query}).raise_for_status().json()
            values = [float(one["value"][1]) for one in answer["data"]["result"]]
            if not values or all(value != value for value in values):
                empty.append((panel["title"], target["expr"]))
    # A limit is drawn where the container has one; here there may be none.
    assert [title for title, expression in empty if "< +Inf" not in expression] == []
    [group] = prometheus.get("/rules").raise_for_status().json()["data"]["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    assert {rule["name"]: rule["state"] for rule in group["rules"] if rule["state"] == "firing"} == {}


@pytest.mark.long
def test_the_alert_of_a_server_that_stopped_fires(prometheus: httpx.Client, server: Server) -> None:
    """`for` of a minute is not waited for: pending is the state before it."""
    server.stop()
    deadline = time.monotonic() + 15
    while True:
        alerts = prometheus.get("/alerts").json()["data"]["alerts"]
        if {alert["labels"]["alertname"] for alert in alerts} >= {"GazecropDown", "GazecropAllDown"}:
            return
        assert time.monotonic() < deadline, alerts
        time.sleep(0.5)
