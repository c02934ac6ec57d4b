"""GAZECROP_API_KEYS: every call needs a key except the probes, the metrics and the page's files.

GAZECROP_METRICS_KEY: the metrics need this one.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from azure.ai.vision.imageanalysis.models import VisualFeatures
from azure.core.exceptions import HttpResponseError
from pydantic import SecretStr

from gazecrop.settings import Settings
from tests.api.test_compatibility import AZURE, GOOGLE, azure_client
from tests.conftest import Server, serving
from tests.helpers.contract import client, place_of, problem

KEYS = ("first-key", "second key with spaces")
OPEN = ("/", "/docs", "/page.js", "/openapi.json", "/healthz", "/readyz", "/metrics", "/examples/index.json")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "GAZECROP_API_KEYS": ", ".join(KEYS),
        "GAZECROP_CORS_ORIGINS": "*",
        "GAZECROP_CACHE_CONTROL": "public, max-age=60",
    }
    with serving(tmp_path_factory.mktemp("locked"), settings) as running:
        yield running


@pytest.fixture(scope="module")
def anyone(locked: Server) -> Iterator[httpx.Client]:
    with client(locked.url) as api:
        yield api


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", OPEN)
def test_probes_metrics_and_the_page_are_open(anyone: httpx.Client, path: str) -> None:
    assert anyone.get(path).status_code in (200, 404 if path.startswith("/examples") else 200)


CALLS = [
    ("POST", "/v1/images"), ("GET", "/v1/images/x"), ("DELETE", "/v1/images/x"), ("GET", "/v1/images/x/crops"),
    ("GET", "/v1/images/x/crops/1:1"), ("HEAD", "/v1/images/x/crops/1:1"), ("GET", "/v1/images/x/saliency"),
    ("GET", "/v1/images/x/focus"), ("PUT", "/v1/images/x/focus"), ("DELETE", "/v1/images/x/focus"),
    ("POST", "/v1/crop"), ("POST", "/v1/explain"), ("POST", "/v1/reports"), ("GET", "/v1/nothing"),
    ("POST", "/%76%31/images"), ("GET", "/v1/images%2Fx%2Fcrops"), ("GET", "/computervision/other"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_needs_a_key(anyone: httpx.Client, method: str, path: str) -> None:
    without, unknown = anyone.request(method, path), anyone.request(method, path, headers=bearer("guess"))
    assert (without.status_code, unknown.status_code) == (401, 403)
    assert without.headers["www-authenticate"] == "Bearer"
    if method != "HEAD":
        problem(without, 401, "unauthorized")
        problem(unknown, 403, "forbidden")
    for key in KEYS:
        assert anyone.request(method, path, headers=bearer(key)).status_code not in (401, 403)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "bearer first-key"}, 404), ({"authorization": "BEARER   first-key"}, 404),
        ({"authorization": "Basic first-key"}, 401), ({"authorization": "Bearer"}, 401),
        ({"authorization": "Bearer first-ke"}, 403), ({"authorization": "Bearer first-key2"}, 403),
        ({"authorization": "Bearer first-key, second"}, 403), ({"ocp-apim-subscription-key": "first-key"}, 401),
        ({"x-goog-api-key": "first-key"}, 401), ({"x-api-key": "first-key"}, 401),
        ({"authorization": "Bearer \xe9"}, 403),
    ],
)  # fmt: skip
def test_how_a_key_is_sent(anyone: httpx.Client, headers: dict[str, str], status: int) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    assert anyone.get("/v1/images/x/crops", headers=raw).status_code == status
    assert anyone.get("/v1/images/x?key=first-key").status_code == 401  # it would be written to access logs


def test_the_compatibility_endpoints_accept_their_vendors_keys(anyone: httpx.Client) -> None:
    ways: list[tuple[str, dict[str, str]]] = [
        (GOOGLE, {"x-goog-api-key": KEYS[0]}), (f"{GOOGLE}?key={KEYS[0]}", {}), (GOOGLE, bearer(KEYS[1])),
        (AZURE, {"ocp-apim-subscription-key": KEYS[0]}), (AZURE, bearer(KEYS[0])),
    ]  # fmt: skip
    for path, headers in ways:
        assert anyone.post(path, headers=headers).status_code == 400  # inside, and nothing was sent
    for path, headers, status in (
        (GOOGLE, {}, 401), (f"{GOOGLE}?key=guess", {}, 403), (GOOGLE, {"ocp-apim-subscription-key": KEYS[0]}, 401),
        (AZURE, {}, 401), (AZURE, {"ocp-apim-subscription-key": "guess"}, 403), (f"{AZURE}?key={KEYS[0]}", {}, 401),
    ):  # fmt: skip
        answer = anyone.post(path, headers=headers)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json" and answer.json()["error"]["message"]
    google = anyone.post(GOOGLE).json()["error"]
    assert (google["code"], google["status"]) == (401, "UNAUTHENTICATED")


def test_azure_s_client_raises_its_own_errors(locked: Server, picture: bytes) -> None:
    crops = [VisualFeatures.SMART_CROPS]
    with pytest.raises(HttpResponseError) as refused:
        azure_client(locked.url, "guess").analyze(image_data=picture, visual_features=crops)
    assert refused.value.status_code == 403
    answer = azure_client(locked.url, KEYS[0]).analyze(image_data=picture, visual_features=crops)
    assert answer.smart_crops is not None and len(answer.smart_crops.list) == 1


def needs_key(operation: dict[str, Any]) -> bool:
    return bool(operation["security"]) and {} not in operation["security"]


def test_openapi_names_the_operations_that_need_a_key(
    anyone: httpx.Client, api: httpx.Client, metered: httpx.Client
) -> None:
    """For each server the document and the behaviour are the same."""
    for server, where in (
        (anyone, ("/v1/", "/computervision/", "/vision/")),
        (api, ("/never",)),
        (metered, ("/metrics",)),
    ):
        document = server.get("/openapi.json").json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                answer = server.request(method, path.replace("{id}", "x").replace("{ratio}", "1:1"))
                assert needs_key(operation) == (answer.status_code == 401) == path.startswith(where), path
        schemes = document["components"]["securitySchemes"]
        used = {
            name
            for ops in document["paths"].values()
            for op in ops.values()
            for s in op["security"]
            for name in s
        }
        assert used == schemes.keys()


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server whose metrics alone need a key."""
    settings = {"GAZECROP_METRICS_KEY": "scrape me"}
    with serving(tmp_path_factory.mktemp("metered"), settings) as running, client(running.url) as api:
        yield api


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_metrics_may_have_a_key_of_their_own(metered: httpx.Client, method: str) -> None:
    for headers, status in (
        ({}, 401),
        (bearer("scrape"), 403),
        (bearer(KEYS[0]), 403),
        ({"x-goog-api-key": "scrape me"}, 401),
        (bearer("scrape me"), 200),
    ):
        answer = metered.request(method, "/metrics", headers=headers)
        assert answer.status_code == status
        assert method == "HEAD" or (b"gazecrop_requests_total" in answer.content) == (status == 200)
    assert metered.get("/metrics?key=scrape%20me").status_code == 401
    for path in ("/healthz", "/readyz", "/", "/docs"):
        assert metered.request(method, path).status_code == 200
    assert metered.get("/v1/images/x").status_code == 404


def test_the_key_of_the_metrics_opens_nothing_else_and_no_other_key_opens_them(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(GAZECROP_API_KEYS="first", GAZECROP_METRICS_KEY="scrape")
    with client(server.url) as both:
        statuses = {
            (path, key): both.get(path, headers=bearer(key)).status_code
            for path in ("/metrics", "/v1/images/x")
            for key in ("first", "scrape")
        }
    assert statuses == {
        ("/metrics", "first"): 403,
        ("/metrics", "scrape"): 200,
        ("/v1/images/x", "first"): 404,
        ("/v1/images/x", "scrape"): 403,
    }


def test_an_empty_key_of_the_metrics_is_none(start_server: Callable[..., Server]) -> None:
    """Docker Compose passes on a variable that is not set as an empty one."""
    assert httpx.get(f"{start_server(GAZECROP_METRICS_KEY='').url}/metrics").status_code == 200


def test_keys_move_the_listener_to_all_addresses_unless_a_host_is_set() -> None:
    key = SecretStr("k")
    assert Settings(api_keys=()).address == "127.0.0.1"
    assert Settings(api_keys=(), metrics_key=key).address == "127.0.0.1"
    assert Settings(api_keys=(key,)).address == "0.0.0.0"
    assert Settings(api_keys=(key,), host="127.0.0.1").address == "127.0.0.1"


def test_answers_are_private_where_keys_are_set(anyone: httpx.Client, picture: bytes) -> None:
    """Regardless of the setting: a shared cache must not serve clients without a key."""
    key = bearer(KEYS[0])
    place = place_of(anyone.post("/v1/images", content=picture, headers=key))
    version = anyone.get(place, headers=key).json()["version"]
    for path in ("", "/crops", "/crops/1:1", "/saliency"):
        assert anyone.get(place + path, headers=key).headers["cache-control"] == "private, max-age=60"
        year = anyone.get(f"{place}{path}?v={version}", headers=key).headers["cache-control"]
        assert year == "private, max-age=31536000, immutable"


def test_a_preflight_has_no_key(anyone: httpx.Client) -> None:
    preflight_headers = {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    preflight = anyone.options("/v1/images", headers={"origin": "https://a.example"} | preflight_headers)
    assert preflight.status_code == 200
    refused = anyone.post("/v1/images", headers={"origin": "https://a.example"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
