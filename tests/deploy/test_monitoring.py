"""Dashboards, alarms and autoscalers use only metrics and labels that /metrics has."""

import json
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import yaml
from prometheus_client import CollectorRegistry, generate_latest

from gazecrop.commands.work.metrics import WorkMetrics
from tests.conftest import Server
from tests.helpers.shipping import ROOT, documents, text

TARGET = {"job", "namespace", "instance"}  # labels that Prometheus adds


def expressions() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of every query to Prometheus."""
    for panel in json.loads(text("docker/grafana/gazecrop.json"))["panels"]:
        for target in panel["targets"]:
            yield f"panel {panel['title']}", target["expr"]
    for document in documents(ROOT / "k8s/components/monitoring/monitoring.yaml"):
        for group in document["spec"].get("groups", []):
            for rule in group["rules"]:
                yield f"alert {rule['alert']}", rule["expr"]
    for rule in yaml.safe_load(text("docker/alerts.yml"))["groups"][0]["rules"]:
        yield f"alert {rule['alert']} of Compose", rule["expr"]
    [scaled] = documents(ROOT / "k8s/components/keda/scaledobject.yaml")
    for trigger in scaled["spec"]["triggers"]:
        yield "keda", trigger["metadata"]["query"]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text("docker/grafana/gazecrop.json"))
    return found


def test_the_dashboard_has_its_sixteen_panels() -> None:
    panels = dashboard()["panels"]
    assert len(panels) == 16 and len({p["id"] for p in panels}) == 16
    assert len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels}) == 16


def test_the_dashboard_s_variables_select_everywhere() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert variables.keys() == {"datasource", "namespace", "instance"}
    assert variables["datasource"]["type"] == "datasource"
    for panel in dashboard()["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            selectors = re.findall(r"\b(?:gazecrop|process)_\w+(\{[^}]*\})?", target["expr"])
            for selector in selectors or [target["expr"]]:
                assert 'namespace=~"$namespace",instance=~"$instance"' in selector, panel["title"]


def test_compose_s_dashboard_has_no_namespace_and_still_shows_everything() -> None:
    """`.*` also matches a label that is not there."""
    for variable in dashboard()["templating"]["list"][1:]:
        assert (
            variable["includeAll"]
            and variable["allValue"] == ".*"
            and variable["current"]["value"] == ["$__all"]
        )


def test_every_queried_metric_exists(server: Server, picture: bytes) -> None:
    urllib.request.urlopen(f"{server.url}/v1/images", data=picture).close()
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        page = answer.read().decode()
    workers = CollectorRegistry()
    WorkMetrics(workers)
    page += generate_latest(workers).decode()
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
    given: dict[str, set[str]] = {}  # sample name -> labels seen on it
    for name, kind in re.findall(r"^# TYPE ((?:gazecrop|process)_\w+) (\w+)$", page, re.M):
        given.update({name + suffix: set() for suffix in suffixes[kind]})
    for name, labels in re.findall(r"^((?:gazecrop|process)_\w+)\{(.*)\} ", page, re.M):
        given.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels))
    for where, expression in expressions():
        for name, matchers in re.findall(r"\b((?:gazecrop|process)_\w+)(?:\{([^}]*)\})?", expression):
            assert name in given, f"{where} names {name}, which /metrics does not have"
            used = set(re.findall(r"(\w+)\s*(?:=~?|!=)\"", matchers)) - TARGET
            assert not given[name] or used <= given[name], (
                f"{where}: {name} has no label {used - given[name]}"
            )
