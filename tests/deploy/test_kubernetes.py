"""The manifests, as files and as kustomize renders them, against Kubernetes' schemas and the service's settings."""

import subprocess
from functools import cache
from math import isqrt
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gazecrop import __version__
from gazecrop.commands.work.command import refusal
from gazecrop.concurrency.budget import Budget
from gazecrop.picture.containers.walk import Walk
from gazecrop.picture.memory import of_crop, of_map
from gazecrop.picture.probe import Header
from gazecrop.settings import Settings
from tests.conftest import command
from tests.helpers.shipping import ROOT, dockerfile, documents, variables

OVERLAYS = ["base", "overlays/cpu", "overlays/gpu", "overlays/worker"]
# Kinds that kubernetes-validate has no schema for.
CUSTOM = {"Kustomization", "Component", "ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}
WORKER = "gazecrop-worker"


@cache
def render(overlay: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [command("kubectl"), "kustomize", str(ROOT / "k8s" / overlay)], capture_output=True, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


def one(objects: list[dict[str, Any]], kind: str, name: str = "gazecrop") -> dict[str, Any]:
    [found] = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found


def pod(objects: list[dict[str, Any]], name: str = "gazecrop") -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod's spec and its container's."""
    spec: dict[str, Any] = one(objects, "Deployment", name)["spec"]["template"]["spec"]
    [container] = spec["containers"]
    return spec, container


def test_every_manifest_is_in_a_kustomization() -> None:
    for folder in {p.parent for p in (ROOT / "k8s").rglob("kustomization.yaml")}:
        [kustomization] = documents(folder / "kustomization.yaml")
        listed = {r for r in kustomization.get("resources", []) if r.endswith(".yaml")}
        assert listed == {p.name for p in folder.glob("*.yaml")} - {"kustomization.yaml"}


# The chart's templates are YAML only when rendered: test_chart.py.
FILES = [p for p in sorted((ROOT / "k8s").rglob("*.yaml")) if ROOT / "k8s/chart" not in p.parents]


@pytest.mark.parametrize("file", [p.relative_to(ROOT).as_posix() for p in FILES])
def test_manifests_follow_kubernetes_schemas(file: str) -> None:
    for document in documents(ROOT / file):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, "1.34", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_kustomize_renders_follows_the_schemas(overlay: str) -> None:
    for document in render(overlay):
        if document["kind"] not in CUSTOM:
            kubernetes_validate.validate(document, "1.34", strict=True)


def test_the_schemas_catch_an_error() -> None:
    deployment = one(documents(ROOT / "k8s/base/deployment.yaml"), "Deployment")
    deployment["spec"]["replicas"] = "two"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.34", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_and_probes_agree(overlay: str) -> None:
    objects = render(overlay)
    _, container = pod(objects)
    [port] = container["ports"]
    environment = {e["name"]: e for e in container["env"]}
    assert (
        environment["PORT"]["value"]
        == str(port["containerPort"])
        == str(Settings.model_fields["port"].default)
    )
    assert [p["targetPort"] for p in one(objects, "Service")["spec"]["ports"]] == [port["name"]]
    paths = {k: v["httpGet"]["path"] for k, v in container.items() if k.endswith("Probe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert {v["httpGet"]["port"] for k, v in container.items() if k.endswith("Probe")} == {port["name"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_set_real_settings(overlay: str) -> None:
    spec, container = pod(render(overlay))
    assert {e["name"] for e in container["env"]} <= variables()
    assert spec["enableServiceLinks"] is False  # they would be GAZECROP_PORT=tcp://...


@pytest.mark.parametrize("overlay", ["base", "overlays/cpu"])
def test_the_memory_limit_lets_the_largest_pictures_in(overlay: str) -> None:
    """The budget follows from the limit; what the limits of one picture allow must not be refused for its memory."""
    _, container = pod(render(overlay))
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20
    settings = Settings(memory_megabytes=limit / 1e6)
    work = Budget(settings.budget(), settings.budget() // 4).largest
    side = isqrt(round(settings.max_megapixels_jpeg * 1e6))
    walk = Walk(side, side, components=4, coefficients=4 * side**2, buffered=True)
    strip = (0, 0, side, round(settings.max_megapixels_out * 1e6) // side)
    cmyk = of_crop(Header("jpeg", side, side, 1, 1, walk), settings.max_bytes, strip, strip[2:], "avif")
    assert 1.1e9 < cmyk <= work
    side = isqrt(round(settings.max_megapixels * 1e6))
    webp = Header("webp", side, side, 1, 1, Walk(side, side, mode="RGBA"))
    assert of_map(webp, settings.max_bytes) <= work


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_no_privileges(overlay: str) -> None:
    spec, container = pod(render(overlay))
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert str(spec["securityContext"]["runAsUser"]) == dict(dockerfile())["USER"]
    context = container["securityContext"]
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    # With a read-only root, all that is written needs a volume: the store and Python's temporary files.
    assert {m["mountPath"] for m in container["volumeMounts"]} == {"/data", "/tmp"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_have_time_to_drain(overlay: str) -> None:
    spec, container = pod(render(overlay))
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > before + Settings().drain_seconds


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_selects_the_pods(overlay: str) -> None:
    objects = render(overlay)
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert one(objects, "Service")["spec"]["selector"].items() <= labels.items()
    assert one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_one_autoscaler_at_a_time() -> None:
    """KEDA makes its own; two on one deployment would undo each other's changes."""
    kinds = {overlay: [o["kind"] for o in render(overlay)] for overlay in OVERLAYS}
    for found in kinds.values():
        assert found.count("HorizontalPodAutoscaler") + found.count("ScaledObject") == 1
    assert "ScaledObject" in kinds["overlays/gpu"]


def test_the_redis_beside_it_is_the_one_it_uses() -> None:
    objects = render("overlays/cpu")
    [address] = [e["value"] for e in pod(objects)[1]["env"] if e["name"] == "REDIS_URL"]
    service = one(objects, "Service", "gazecrop-redis")
    assert address == f"redis://gazecrop-redis:{service['spec']['ports'][0]['port']}/0"


def test_the_gpu_overlay_demands_a_gpu() -> None:
    _, container = pod(render("overlays/gpu"))
    assert {"name": "GAZECROP_DEVICE", "value": "cuda"} in container["env"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"].endswith("-cuda")


def test_the_image_s_tag_is_the_version() -> None:
    assert pod(render("base"))[1]["image"] == f"gazecrop:{__version__}"
    assert pod(render("overlays/gpu"))[1]["image"] == f"gazecrop:{__version__}-cuda"


def test_a_rollout_needs_no_spare_gpu() -> None:
    strategy = one(render("overlays/gpu"), "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 1, "maxSurge": 0}


def test_the_gpu_overlay_runs_on_tainted_nodes_with_nvidia_s_runtime() -> None:
    spec, _ = pod(render("overlays/gpu"))
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert "CUDA 13" in (ROOT / "k8s/components/gpu/kustomization.yaml").read_text()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_pod_starts_without_the_id_key(overlay: str) -> None:
    """Redis would keep one it made itself; when its disk is lost, every id of every page would change."""
    _, container = pod(render(overlay))
    [key] = [e["valueFrom"]["secretKeyRef"] for e in container["env"] if e["name"] == "GAZECROP_ID_KEY"]
    assert key == {"name": "gazecrop", "key": "GAZECROP_ID_KEY"}  # not optional
    assert container["envFrom"] == [{"secretRef": {"name": "gazecrop"}}]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_policy_needs_no_labels_and_admits_the_port_alone(overlay: str) -> None:
    policy = one(render(overlay), "NetworkPolicy")["spec"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    dns, redis = policy["egress"]
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in dns["to"]
    assert {p["port"] for p in dns["ports"]} == {53}
    assert {p["port"] for p in redis["ports"]} == {6379, 6380, 26379}


def test_keda_s_object_follows_its_schema() -> None:
    """The few rules of keda.sh/v1alpha1 that this file depends on; the schema is not on a registry."""
    scaled = one(render("overlays/gpu"), "ScaledObject")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaled["spec"]
    assert spec["scaleTargetRef"] == {"name": one(render("overlays/gpu"), "Deployment")["metadata"]["name"]}
    assert spec["minReplicaCount"] < spec["maxReplicaCount"]
    for trigger in spec["triggers"]:
        assert trigger.keys() == {"type", "name", "metadata"} and trigger["type"] == "prometheus"
        assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
        assert all(isinstance(value, str) for value in trigger["metadata"].values())
        assert float(trigger["metadata"]["threshold"]) > 0
    _, container = pod(render("overlays/gpu"))
    cores = {trigger["name"]: float(trigger["metadata"]["threshold"]) for trigger in spec["triggers"]}[
        "cores"
    ]
    assert cores == pytest.approx(0.7 * int(container["resources"]["requests"]["cpu"]))


def test_the_operator_s_objects_follow_their_schemas() -> None:
    """The few rules of monitoring.coreos.com/v1 that these depend on."""
    objects = render("overlays/gpu")
    monitor, rules = one(objects, "ServiceMonitor"), one(objects, "PrometheusRule")
    worker, workers = one(objects, "PodMonitor", WORKER), one(render("overlays/worker"), "Deployment", WORKER)
    pods = workers["spec"]["template"]
    assert worker["apiVersion"] == monitor["apiVersion"]
    assert worker["spec"]["selector"]["matchLabels"].items() <= pods["metadata"]["labels"].items()
    # The name of Prometheus' job, which the alerts have, is the value of this label.
    assert pods["metadata"]["labels"][worker["spec"]["jobLabel"]] == WORKER
    [port] = pods["spec"]["containers"][0]["ports"]
    assert [e["port"] for e in worker["spec"]["podMetricsEndpoints"]] == [port["name"]]
    assert monitor["apiVersion"] == rules["apiVersion"] == "monitoring.coreos.com/v1"
    service = one(objects, "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [e["port"] for e in monitor["spec"]["endpoints"]] == [p["name"] for p in service["spec"]["ports"]]
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
            assert all(isinstance(v, str) for v in (*rule["labels"].values(), *rule["annotations"].values()))


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container["env"]}


def test_a_worker_runs_as_the_service_does_and_shares_its_stream_and_ids() -> None:
    objects = render("overlays/worker")
    spec, container = pod(objects, WORKER)
    ours, service = pod(objects)
    assert spec["securityContext"] == ours["securityContext"]
    for name in ("securityContext", "volumeMounts", "envFrom", "image"):
        assert container[name] == service[name]
    assert spec["terminationGracePeriodSeconds"] > 1 + Settings().drain_seconds  # a read waits for a second
    assert spec["enableServiceLinks"] is False and container["args"] == ["gazecrop", "work"]
    of_worker, of_service = environment(container), environment(service)
    assert of_worker.keys() <= variables()
    for name in ("GAZECROP_ID_KEY", "REDIS_URL", "GAZECROP_WORK_STREAM", "GAZECROP_WORKERS"):
        assert of_worker[name] == of_service[name], name
    [port] = container["ports"]
    assert of_worker["GAZECROP_WORK_PORT"] == str(port["containerPort"])
    assert port["containerPort"] == Settings.model_fields["work_port"].default
    assert {v["httpGet"]["port"] for k, v in container.items() if k.endswith("Probe")} == {port["name"]}
    settings = Settings(
        redis_url=of_worker["REDIS_URL"], work_stream=of_worker["GAZECROP_WORK_STREAM"], memory_megabytes=2147
    )
    assert refusal(settings) is None
    assert int(container["resources"]["limits"]["memory"].removesuffix("Mi")) * 2**20 >= 2147e6


def test_a_worker_reaches_redis_and_the_web() -> None:
    objects = render("overlays/worker")
    labels = one(objects, "Deployment", WORKER)["spec"]["template"]["metadata"]["labels"]
    policy = one(objects, "NetworkPolicy", WORKER)["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["ingress"] == [{"ports": [{"port": "metrics", "protocol": "TCP"}]}]
    *known, web = policy["egress"]
    assert known == one(objects, "NetworkPolicy")["spec"]["egress"]
    assert [p["port"] for p in web["ports"]] == [443]
    [admitted] = one(objects, "NetworkPolicy", "gazecrop-redis")["spec"]["ingress"][0]["from"]
    [expression] = admitted["podSelector"]["matchExpressions"]
    assert expression["operator"] == "In" and set(expression["values"]) == {"gazecrop", WORKER}
