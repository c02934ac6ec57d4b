"""The pages on deployment: what they show is rendered, validated or run, and every link and setting exists."""

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from gazecrop import __version__
from gazecrop.store.redis_url import parse
from tests.conftest import Server, command
from tests.helpers.shipping import ROOT, text, variables

PAGES = ["k8s/README.md", "docs/docker.md", "docs/nginx.md", "docs/gpu.md", "docs/tracing.md"]
PAGES += ["docs/runbooks/README.md", "docs/systemd.md"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text(page), re.M | re.S)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text(page))
    assert links
    for link in links:
        assert (ROOT / page).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_are_named_exist(page: str) -> None:
    assert set(re.findall(r"\bGAZECROP_[A-Z_]+\b", text(page))) <= variables()


def test_variables_of_compose_are_those_of_the_page() -> None:
    compose = text("docker-compose.yml")
    table = re.findall(r"^\| (`.*?) \|", text("docs/docker.md"), re.M)
    named = {name for cell in table for name in re.findall(r"`([A-Z_]+)`", cell)}
    used = set(re.findall(r"\$\{([A-Z_]+)", compose)) | set(re.findall(r"^ +- ([A-Z_]+)$", compose, re.M))
    assert named == used
    profiles = set(re.findall(r"profiles: \[(\w+)\]", compose))
    assert set(re.findall(r"--profile (\w+)", text("docs/docker.md"))) == profiles


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The folder that the page describes, beside a copy of k8s/."""
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    for block in blocks("k8s/README.md", "yaml"):
        name = block.partition("\n")[0].removeprefix("# ")
        assert name.startswith("site/")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(block)
    return tmp_path / "site"


def render(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run([command("kubectl"), "kustomize", str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def kinds(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [o for o in objects if o["kind"] == kind]


def test_the_site_renders_with_its_image_and_namespace(site: Path) -> None:
    objects = render(site)
    [deployment] = kinds(objects, "Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/gazecrop:{__version__}"
    assert f"docker build -t {container['image']} ." in text("k8s/README.md")
    [namespace] = kinds(objects, "Namespace")
    others = [o for o in objects if o["kind"] != "Namespace"]
    assert {o["metadata"]["namespace"] for o in others} == {namespace["metadata"]["name"]}
    for o in objects:
        kubernetes_validate.validate(o, "1.34", strict=True)


def change(site: Path, **members: Any) -> list[dict[str, Any]]:
    file = site / "kustomization.yaml"
    kustomization = yaml.safe_load(file.read_text())
    for name, value in members.items():
        kustomization[name] = kustomization.get(name, []) + value
    file.write_text(yaml.safe_dump(kustomization))
    return render(site)


def test_the_ingress_leads_to_the_service_and_lets_uploads_through(site: Path) -> None:
    objects = change(
        site, resources=["ingress.yaml", "route.yaml"], components=["../k8s/components/monitoring"]
    )
    [ingress], [route] = kinds(objects, "Ingress"), kinds(objects, "HTTPRoute")
    service = next(o for o in kinds(objects, "Service") if o["metadata"]["name"] == "gazecrop")
    kubernetes_validate.validate(ingress, "1.34", strict=True)
    [path] = ingress["spec"]["rules"][0]["http"]["paths"]
    port = service["spec"]["ports"][0]
    assert path["backend"]["service"] == {"name": "gazecrop", "port": {"name": port["name"]}}
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "gazecrop", "port": port["port"]}]
    # One limit in all examples: above what the service allows, see test_compose.
    [limit] = re.findall(r"client_max_body_size (\w+);", text("docker/nginx.conf"))
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"] == limit
    assert f"client_max_body_size {limit};" in text("docs/nginx.md")
    assert kinds(objects, "PrometheusRule") and kinds(objects, "ServiceMonitor")


def test_the_policy_can_be_narrowed(site: Path) -> None:
    [policy] = [
        o
        for o in change(site, patches=[{"path": "narrow.yaml"}])
        if o["kind"] == "NetworkPolicy" and o["metadata"]["name"] == "gazecrop"
    ]
    kubernetes_validate.validate(policy, "1.34", strict=True)
    [rule] = policy["spec"]["ingress"]
    assert rule["from"][0]["namespaceSelector"]["matchExpressions"][0]["key"] == "kubernetes.io/metadata.name"
    assert [p["port"] for p in rule["ports"]] == ["http"] and policy["spec"]["egress"]


def test_a_worker_and_egress_are_added(site: Path) -> None:
    file = site / "kustomization.yaml"
    file.write_text(file.read_text().replace("overlays/cpu", "overlays/worker"))
    patches = [
        {"path": "egress.yaml", "target": {"kind": "NetworkPolicy", "name": name}}
        for name in ("gazecrop", "gazecrop-worker")
    ]
    assert "patches: [{path: egress.yaml, target: {kind: NetworkPolicy, name: gazecrop}}]" in text(
        "k8s/README.md"
    )
    objects = change(site, patches=patches)
    policies = {o["metadata"]["name"]: o["spec"].get("egress", []) for o in kinds(objects, "NetworkPolicy")}
    assert len(policies["gazecrop"]) == 3 and len(policies["gazecrop-worker"]) == 4
    web = {"ports": [{"port": 443, "protocol": "TCP"}]}
    assert policies["gazecrop"][-1] == policies["gazecrop-worker"][-1] == web
    pods = [deployment["spec"]["template"]["spec"] for deployment in kinds(objects, "Deployment")]
    assert (
        len(pods) == 2 and len({container["image"] for pod in pods for container in pod["containers"]}) == 1
    )
    for o in objects:
        kubernetes_validate.validate(o, "1.34", strict=True)


def test_a_worker_beside_a_redis_of_one_s_own(site: Path) -> None:
    file = site / "kustomization.yaml"
    file.write_text(file.read_text().replace("overlays/cpu", "base"))
    objects = change(site, components=["../k8s/components/worker"])
    for deployment in kinds(objects, "Deployment"):
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        [url] = [variable for variable in container["env"] if variable["name"] == "REDIS_URL"]
        assert url["valueFrom"] == {"secretKeyRef": {"name": "gazecrop", "key": "REDIS_URL"}}
    assert len(kinds(objects, "Deployment")) == 2 and not kinds(objects, "StatefulSet")


def test_the_secret_is_made_by_the_command() -> None:
    [commands] = [block for block in blocks("k8s/README.md", "sh") if "create secret" in block]
    secret = commands[commands.index("kubectl create secret") :].strip()
    done = subprocess.run(
        ["sh", "-c", f"{secret} --dry-run=client -o json"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("gazecrop", "gazecrop")
    assert made["data"].keys() <= variables() and {len(v) for v in made["data"].values()} == {88, 44}


@pytest.mark.long
def test_a_backup_of_a_running_server_has_its_focal_points(
    start_server: Callable[..., Server], picture: bytes, tmp_path: Path
) -> None:
    [line] = re.findall(r'^sqlite3 data/gazecrop\.db "\.backup copy\.db"', text("docs/upgrades.md"), re.M)
    first = start_server(GAZECROP_ID_KEY="k")
    id = httpx.post(f"{first.url}/v1/images", content=picture).json()["id"]
    focus = f"/v1/images/{id}/focus"
    assert httpx.put(first.url + focus, json={"x": 0.25, "y": 0.75}).status_code == 201
    command("sqlite3")
    # The page's folder is the server's default one, data.
    subprocess.run(["sh", "-c", line], cwd=first.data_dir.parent, check=True)
    (tmp_path / "restored").mkdir()
    (first.data_dir.parent / "copy.db").rename(tmp_path / "restored/gazecrop.db")
    second = start_server(GAZECROP_ID_KEY="k", GAZECROP_DATA_DIR=str(tmp_path / "restored"))
    assert httpx.get(second.url + focus).json() == httpx.get(first.url + focus).json()
    assert httpx.get(f"{second.url}/v1/images/{id}/crops/1:1").status_code == 200


def test_addresses_of_redis_are_understood() -> None:
    urls = re.findall(r"`((?:redis|rediss|redis\+sentinel)://[^`]+)`", text("k8s/README.md"))
    assert len(urls) == 3
    one, tls, sentinel = map(parse, urls)
    assert (one.options["port"], tls.options["port"]) == (6379, 6380)
    assert {port for _, port in sentinel.sentinels} == {26379} and sentinel.service == "NAME-OF-THE-PRIMARY"


def test_the_pages_name_the_real_extras_and_locks() -> None:
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    for page in PAGES:
        assert set(re.findall(r"EXTRA=(\w+)", text(page))) <= extras.keys()
        for lock in re.findall(r"[\w/.-]+\.lock", text(page)):
            assert (ROOT / lock).is_file()
