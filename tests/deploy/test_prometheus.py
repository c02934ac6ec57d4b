"""A real Prometheus scrapes a real server and a real worker: no panel of the dashboard is empty, no rule fails, and
alerts fire."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import RedisServer, Server, command, free_port, serving
from tests.helpers.contract import ready, until
from tests.helpers.pictures import jpeg
from tests.helpers.shipping import ROOT, text
from tests.helpers.workers import workers_of


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


@contextmanager
def prometheus(folder: Path, alerts: str, **targets: str) -> Iterator[httpx.Client]:
    """With the configuration of Compose, an address (`host:port`, or none) in place of the names of each job, `_` in
    its name for `-`. `alerts`: the file of rules."""
    configuration: dict[str, Any] = yaml.safe_load(text("docker/prometheus.yml"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for scrape in configuration["scrape_configs"]:
        del scrape["dns_sd_configs"]
        if address := targets.get(scrape["job_name"].replace("-", "_")):
            scrape["static_configs"] = [{"targets": [address]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (folder / "alerts.yml").write_text(alerts)
    address = f"127.0.0.1:{free_port()}"
    program = [
        command("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--web.listen-address={address}",
    ]
    log = (folder / "log").open("wb")
    process = subprocess.Popen([*program, f"--storage.tsdb.path={folder}/data"], stdout=log, stderr=log)
    try:
        until(ready(f"http://{address}/-/ready", process, folder / "log"), 60)
        with httpx.Client(base_url=f"http://{address}/api/v1", timeout=20) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


@pytest.mark.long
@pytest.mark.redis
def test_no_panel_is_empty_and_no_rule_fails(
    server: Server, redis_server: RedisServer, tmp_path: Path
) -> None:
    """During the load test, with a worker beside the server."""
    with ExitStack() as stack:
        workers = stack.enter_context(workers_of(tmp_path, redis_server))
        targets = {
            "gazecrop": server.url.removeprefix("http://"),
            "gazecrop_worker": f"127.0.0.1:{workers.running().port}",
        }
        client = stack.enter_context(prometheus(tmp_path, text("docker/alerts.yml"), **targets))
        load, deadline = locust(server.url), time.monotonic() + 120
        while load.poll() is None:
            assert time.monotonic() < deadline
            errors(server.url)
            workers.add(image=jpeg())
            time.sleep(0.5)
        empty = []
        for panel in json.loads(text("docker/grafana/gazecrop.json"))["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$namespace", ".*").replace("$instance", ".*")
                answer = client.get("/query", params={"query": query}).raise_for_status().json()
                values = [float(one["value"][1]) for one in answer["data"]["result"]]
                if not values or all(value != value for value in values):
                    empty.append((panel["title"], target["expr"]))
        # A limit is drawn where the container has one; here there may be none.
        assert [title for title, expression in empty if "< +Inf" not in expression] == []
        [group] = client.get("/rules").raise_for_status().json()["data"]["groups"]
        assert {rule["health"] for rule in group["rules"]} == {"ok"}
        assert {rule["name"]: rule["state"] for rule in group["rules"] if rule["state"] == "firing"} == {}


def firing(client: httpx.Client) -> dict[str, str]:
    """The job of each alert that fires, by the alert's name."""
    alerts = client.get("/alerts").raise_for_status().json()["data"]["alerts"]
    return {
        alert["labels"]["alertname"]: alert["labels"].get("job", "")
        for alert in alerts
        if alert["state"] == "firing"
    }


SOON = re.sub(
    r"\bfor: \d+m$", "for: 2s", text("docker/alerts.yml"), flags=re.M
)  # the waits are promtool's test


@pytest.mark.long
def test_the_alert_of_a_server_that_stopped_fires_and_ends(tmp_path: Path) -> None:
    """The rules that ship, with their waits shortened; the server comes back on the same port."""
    assert SOON.count("for: 2s") == text("docker/alerts.yml").count("for: ")
    port = free_port()
    with prometheus(tmp_path, SOON, gazecrop=f"127.0.0.1:{port}") as client:
        with serving(tmp_path, port=port):
            until(lambda: not {"GazecropDown", "GazecropAllDown"} & firing(client).keys(), 30)
        until(lambda: {"GazecropDown", "GazecropAllDown"} <= firing(client).keys(), 30)
        assert firing(client)["GazecropDown"] == "gazecrop"
        with serving(tmp_path, port=port):
            until(lambda: not {"GazecropDown", "GazecropAllDown"} & firing(client).keys(), 30)


@pytest.mark.long
@pytest.mark.redis
def test_the_alerts_of_a_worker_fire(tmp_path: Path, redis_server: RedisServer) -> None:
    """A job that is given up; then the worker stops."""
    with workers_of(tmp_path, redis_server) as workers:
        worker = workers.running(
            GAZECROP_WORK_TRIES="1",
            GAZECROP_SOURCES="https://127.0.0.1:1/",
            GAZECROP_SOURCES_PRIVATE="127.0.0.1/32",
        )
        with prometheus(tmp_path, SOON, gazecrop_worker=f"127.0.0.1:{worker.port}") as client:
            query = {
                "query": 'gazecrop_work_entries_total{job="gazecrop-worker", queue="jobs", result="dead"}'
            }
            until(lambda: client.get("/query", params=query).json()["data"]["result"] != [], 30)
            assert "GazecropDeadLetters" not in firing(client)
            workers.add(url="https://127.0.0.1:1/a.jpg")
            until(lambda: "GazecropDeadLetters" in firing(client), 60)
            assert len(workers.dead()) == 1
            assert worker.stop() == 0
            until(lambda: firing(client).get("GazecropDown") == "gazecrop-worker", 30)
