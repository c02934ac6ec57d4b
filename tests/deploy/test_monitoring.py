"""Dashboards, alarms and autoscalers ask only for metrics and labels that /metrics has."""

import json
import re
import urllib.request
from collections.abc import Iterator

from tests.conftest import Server
from tests.helpers.shipping import ROOT, documents, text


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


def test_every_queried_metric_exists(server: Server, picture: bytes) -> None:
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
