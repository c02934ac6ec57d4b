"""The Helm chart renders the objects of the kustomize overlays. Rendered by `helm template` where helm is installed,
else by helm's own code in the Python package helm_python."""

import importlib
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gazecrop import __version__
from tests.conftest import command
from tests.helpers.shipping import ROOT, text, variables

CHART = ROOT / "k8s/chart"
CUSTOM = {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / name).read_text())
    return found


class ChartError(Exception):
    """Helm's message."""


def rendered(given: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The objects with these values. Raises ChartError."""
    if helm := shutil.which("helm"):
        file = folder / "given.json"
        file.write_text(json.dumps(given))
        done = subprocess.run(
            [helm, "template", "gazecrop", CHART, "--values", file], capture_output=True, text=True
        )
        if done.returncode != 0:
            raise ChartError(done.stderr)
        manifests = done.stdout
    else:
        try:
            helm_python = importlib.import_module("helm_python")
        except ImportError:
            pytest.skip("neither helm nor helm_python is installed here")
        with helm_python.Chart.load(CHART) as chart:
            try:
                chart.validate_schema(given)
                templates = chart.render(given, name="gazecrop", namespace="default")
            except helm_python.HelmError as error:
                raise ChartError(str(error)) from None
        manifests = "\n---\n".join(templates.values())
    return [document for document in yaml.safe_load_all(manifests) if document]


def comparable(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """By kind and name. A container's variables are in no order: none refers to another."""
    for o in objects:
        if o["kind"] == "Deployment":
            for container in o["spec"]["template"]["spec"]["containers"]:
                container["env"].sort(key=lambda variable: variable["name"])
    found = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    assert len(found) == len(objects)
    return found


def kustomized(overlay: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [command("kubectl"), "kustomize", ROOT / "k8s" / overlay], capture_output=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


@pytest.mark.parametrize(
    ("overlay", "given"),
    [
        ("base", {"redis": {"enabled": False}}),
        ("overlays/cpu", {}),
        ("overlays/gpu", values("values-gpu.yaml")),
        ("overlays/worker", {"worker": {"enabled": True}}),
    ],
)
@pytest.mark.long
def test_the_chart_renders_what_the_overlay_renders(
    overlay: str, given: dict[str, Any], tmp_path: Path
) -> None:
    objects = rendered(given, tmp_path)
    for o in objects:
        if o["kind"] not in CUSTOM:
            kubernetes_validate.validate(o, "1.34", strict=True)
    assert comparable(objects) == comparable(kustomized(overlay))


@pytest.mark.long
def test_every_value_has_its_effect(tmp_path: Path) -> None:
    given = {
        "image": {"repository": "registry.example.com/gazecrop", "tag": "1"},
        "secret": "other",
        "settings": {"GAZECROP_MAX_WAIT_SECONDS": 7, "FORWARDED_ALLOW_IPS": "10.0.0.1"},
        "redis": {"image": "redis:8", "storage": "9Gi"},
        "gpu": {"enabled": True, "runtimeClassName": ""},
        "autoscaling": {
            "minReplicas": 3,
            "maxReplicas": 4,
            "keda": {"enabled": True, "prometheus": "http://p", "cores": "2"},
        },
    }
    objects = comparable(rendered(given, tmp_path))
    spec = objects["Deployment", "gazecrop"]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert container["image"] == "registry.example.com/gazecrop:1"
    assert container["envFrom"] == [{"secretRef": {"name": "other"}}]
    named = [variable["name"] for variable in container["env"]]
    assert len(set(named)) == len(named) and set(named) <= variables()
    given_values = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert (
        given_values["GAZECROP_MAX_WAIT_SECONDS"] == "7" and given_values["FORWARDED_ALLOW_IPS"] == "10.0.0.1"
    )
    assert "runtimeClassName" not in spec
    state = objects["StatefulSet", "gazecrop-redis"]["spec"]
    assert state["template"]["spec"]["containers"][0]["image"] == "redis:8"
    assert state["volumeClaimTemplates"][0]["spec"]["resources"]["requests"] == {"storage": "9Gi"}
    scaled = objects["ScaledObject", "gazecrop"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (3, 4)
    assert {trigger["metadata"]["serverAddress"] for trigger in scaled["triggers"]} == {"http://p"}
    assert scaled["triggers"][1]["metadata"]["threshold"] == "2"
    assert not {"HorizontalPodAutoscaler", "ServiceMonitor"} & {kind for kind, _ in objects}


@pytest.mark.long
def test_every_value_of_the_worker_has_its_effect(tmp_path: Path) -> None:
    web = {"ports": [{"port": 9000, "protocol": "TCP"}]}
    given = {
        "secret": "other",
        "settings": {"GAZECROP_WORK_STREAM": "mine", "AWS_DEFAULT_REGION": "eu-central-1"},
        "egress": [web],
        "redis": {"enabled": False},
        "worker": {"enabled": True, "replicas": 5, "resources": {"limits": {"memory": "4Gi"}}},
    }
    objects = comparable(rendered(given, tmp_path))
    worker = objects["Deployment", "gazecrop-worker"]["spec"]
    [container] = worker["template"]["spec"]["containers"]
    [service] = objects["Deployment", "gazecrop"]["spec"]["template"]["spec"]["containers"]
    assert worker["replicas"] == 5 and container["resources"]["limits"] == {"memory": "4Gi"}
    for one in (container, service):
        named = [variable["name"] for variable in one["env"]]
        assert len(set(named)) == len(named)
        given_values = {variable["name"]: variable.get("value") for variable in one["env"]}
        assert given_values["GAZECROP_WORK_STREAM"] == "mine"
        assert given_values["AWS_DEFAULT_REGION"] == "eu-central-1"
        assert one["envFrom"] == [{"secretRef": {"name": "other"}}]
        [redis] = [variable for variable in one["env"] if variable["name"] == "REDIS_URL"]
        assert redis["valueFrom"]["secretKeyRef"] == {"name": "other", "key": "REDIS_URL"}
    for name in ("gazecrop", "gazecrop-worker"):
        assert objects["NetworkPolicy", name]["spec"]["egress"][-1] == web
    plain = comparable(rendered({}, tmp_path))
    assert not [key for key in plain if key[1] == "gazecrop-worker"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"redis": {"enable": False}},
        {"settings": {"MAX_WAIT_SECONDS": 1}},
        {"autoscaling": {"minReplicas": "two"}},
        {"worker": {"replica": 1}},
    ],
)
@pytest.mark.long
def test_a_wrong_value_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ChartError):
        rendered(wrong, tmp_path)


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = values("Chart.yaml")
    assert chart["version"] == chart["appVersion"] == __version__


def test_the_alerts_of_the_chart_are_those_of_compose() -> None:
    assert (CHART / "alerts.yml").read_text() == text("docker/alerts.yml")


def test_the_page_s_command_sets_values_that_exist() -> None:
    [commands] = re.findall(r"^helm (?:upgrade --)?install .*?(?<!\\)$", text("k8s/README.md"), re.M | re.S)
    words = shlex.split(commands.replace("\\\n", " "))
    assert words[3:5] == ["gazecrop", "k8s/chart"] and words[1:3] == ["upgrade", "--install"]
    defaults = values("values.yaml")
    for word, argument in zip(words, words[1:], strict=False):
        if word == "--set":
            node: Any = defaults
            for step in argument.partition("=")[0].split("."):
                node = node[step]
        if word == "--values":
            assert (ROOT / argument).is_file()
