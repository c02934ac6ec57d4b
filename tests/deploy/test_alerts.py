"""The alerts: accepted by Prometheus, tried with series, one runbook each, the same in Kubernetes; KEDA's queries."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import command
from tests.helpers.shipping import ROOT, documents, text

TESTS = ROOT / "tests/deploy/alerts.test.yml"


def rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(text("docker/alerts.yml"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


ALERTS = [rule["alert"] for rule in rules()]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command("promtool"), *map(str, arguments)], capture_output=True, text=True)


def test_prometheus_accepts_the_rules() -> None:
    done = promtool("check", "rules", ROOT / "docker/alerts.yml")
    assert done.returncode == 0 and f"{len(ALERTS)} rules found" in done.stdout, done.stdout + done.stderr


def test_every_alert_fires_when_it_should_and_only_then() -> None:
    done = promtool("test", "rules", TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tried_with_series(alert: str) -> None:
    tried = [
        case
        for test in yaml.safe_load(TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]
    assert any(case.get("exp_alerts") for case in tried)


def test_the_operator_s_rules_are_the_same() -> None:
    [kubernetes] = [
        d
        for d in documents(ROOT / "k8s/components/monitoring/monitoring.yaml")
        if d["kind"] == "PrometheusRule"
    ]
    assert kubernetes["spec"] == yaml.safe_load(text("docker/alerts.yml"))


@pytest.mark.parametrize("rule", rules(), ids=ALERTS)
def test_an_alert_has_a_severity_and_a_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"].keys() == {"summary", "runbook"}  # an unquoted comma would make a third
    page = text(rule["annotations"]["runbook"])
    assert page.startswith(f"# {rule['alert']}\n\nSeverity {rule['labels']['severity']}. ")
    assert "\n## Check\n" in page and "\n## Mend\n" in page
    assert f"[{rule['alert']}]({rule['alert']}.md)" in text("docs/runbooks/README.md")


def test_every_runbook_has_its_alert_and_its_links_exist() -> None:
    pages = list((ROOT / "docs/runbooks").glob("*.md"))
    assert {page.stem for page in pages} == {*ALERTS, "README"}
    for page in pages:
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / link).is_file(), f"{page.name}: {link}"


QUEUE_WAIT = 'gazecrop_stage_seconds_sum{stage="queue", instance="%s"}'
# series, a sample each 15 s -> (the mean number of uploads that wait, cores in use)
LOADS = {
    "no series": ([], 0, 0),
    "no traffic": ([(QUEUE_WAIT % "a", "0x60"), ('process_cpu_seconds_total{job="gazecrop"}', "5x60")], 0, 0),
    # Twelve uploads a minute, each 30 s on its way and none in the queue.
    "slow clients": (
        [
            (QUEUE_WAIT % "a", "0x60"),
            ('gazecrop_stage_seconds_sum{stage="read", instance="a"}', "0+90x60"),
            ('gazecrop_request_seconds_sum{route="/v1/images", instance="a"}', "0+90x60"),
        ],
        0,
        0,
    ),
    "two busy replicas": (
        [
            (QUEUE_WAIT % "a", "0+30x60"),
            (QUEUE_WAIT % "b", "0+15x60"),
            ('process_cpu_seconds_total{job="gazecrop", instance="a"}', "0+60x60"),
        ],
        3,
        4,
    ),
}


@pytest.mark.parametrize("load", LOADS)
def test_keda_s_queries_are_numbers(load: str, tmp_path: Path) -> None:
    """Never NaN nor nothing, and the clients' own time does not count."""
    [scaled] = documents(ROOT / "k8s/components/keda/scaledobject.yaml")
    wait, cores = (trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"])
    series, waiting, busy = LOADS[load]
    cases = [
        {"expr": query, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": value}]}
        for query, value in ((wait, waiting), (cores, busy))
    ]
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "promql_expr_test": cases,
    }
    file = tmp_path / "keda.test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_loads_the_rules(tmp_path: Path) -> None:
    """The configuration of Compose, with the files where it mounts them."""
    for name in ("prometheus.yml", "alerts.yml"):
        (tmp_path / name).write_text(text(f"docker/{name}"))
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0 and f"{len(ALERTS)} rules found" in done.stdout, done.stdout + done.stderr
    mounts = yaml.safe_load(text("docker-compose.yml"))["services"]["prometheus"]["volumes"]
    assert [m for m in mounts if m.startswith("./docker/")] == [
        "./docker/prometheus.yml:/etc/prometheus/prometheus.yml:ro",
        "./docker/alerts.yml:/etc/prometheus/alerts.yml:ro",
    ]
