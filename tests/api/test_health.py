"""Probes, metrics, request ids, timings, the reference."""

import re
import secrets
import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest

from gazecrop.metrics import STAGES
from gazecrop.store.watch import FRESH_SECONDS
from tests.conftest import RedisServer, Server
from tests.helpers.contract import metric, place_of, until
from tests.helpers.pictures import jpeg

POLICY = "default-src 'self'"


def test_alive_and_ready(api: httpx.Client) -> None:
    assert api.get("/healthz").json() == {"status": "alive"}
    ready = api.get("/readyz").json()
    assert (
        ready["status"] == "ready" and ready["provider"] == "CPUExecutionProvider" and ready["store"] is True
    )


def test_the_stages_are_in_server_timing_and_in_the_metrics(api: httpx.Client) -> None:
    def stages(answer: httpx.Response) -> list[str]:
        parts = re.fullmatch(r"(\w+;dur=[\d.e+-]+(, )?)*", answer.headers.get("server-timing", ""))
        assert parts, answer.headers["server-timing"]
        return re.findall(r"(\w+);dur", parts[0])

    data = jpeg(seed=800)
    before = {stage: metric(api, "gazecrop_stage_seconds_count", stage=stage) for stage in STAGES}
    new = api.post("/v1/images", content=data)
    assert set(stages(new)) == set(STAGES) - {"render"}
    # The same query again: its answer is cached, and the store is read again only after a second.
    assert {"read"} <= set(stages(api.post("/v1/images", content=data))) <= {"read", "store"}
    other = set(stages(api.post("/v1/images?ratios=7:5", content=data)))
    assert {"read", "crop"} <= other <= {"read", "store", "crop"}
    assert "render" in stages(api.post("/v1/crop?ratio=1:1", content=data))
    for path in (place_of(new), f"{place_of(new)}/crops/11:7"):
        time.sleep(FRESH_SECONDS + 0.1)
        assert set(stages(api.get(path))) == {"crop", "store"}
    after = {stage: metric(api, "gazecrop_stage_seconds_count", stage=stage) for stage in STAGES}
    assert all(after[stage] > before[stage] for stage in STAGES)


@pytest.mark.parametrize("id", ["a", "abc-123", "x" * 64, "with a space", "~!{}\"'"])
def test_a_request_id_is_echoed(api: httpx.Client, id: str) -> None:
    for path in ("/healthz", "/v1/images/x", "/nothing", "/v1/images/x/crops/1:1"):
        assert api.get(path, headers={"x-request-id": id}).headers["x-request-id"] == id


@pytest.mark.parametrize("id", ["", "x" * 65, "é", "a\tb"])
def test_a_request_id_that_is_not_short_and_printable_is_replaced(api: httpx.Client, id: str) -> None:
    answer = api.get("/healthz", headers={b"x-request-id": id.encode("latin-1")})
    made = answer.headers.get("x-request-id")
    assert made and made != id and re.fullmatch(r"[0-9a-f-]+", made)


def test_request_ids_differ(api: httpx.Client) -> None:
    assert len({api.get("/healthz").headers["x-request-id"] for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/openapi.json", "/openapi.json", 200), ("/swagger/swagger-ui.css", "/swagger/{file}", 200),
        ("/swagger/nothing", "/swagger/{file}", 404), ("/page.js", "/page.js", 200),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_files_are_counted_by_their_folder(
    api: httpx.Client, path: str, route: str, status: int, method: str
) -> None:
    count = partial(metric, api, "gazecrop_requests_total", route=route, method=method, status=str(status))
    before = count()
    assert api.request(method, path).status_code == status
    until(lambda: count() == before + 1)  # its end may be counted after its last byte has come


def test_labels_stay_bounded_for_any_request(api: httpx.Client) -> None:
    def series() -> set[str]:
        return {line.rpartition(" ")[0] for line in api.get("/metrics").text.splitlines() if line[:1] != "#"}

    for path in (
        "/nothing",
        "/v1/images/x",
        "/v1/images/x/crops/1:1",
        "/v1/images/x/crops/zz",
        "/examples/zz",
    ):
        for method in ("GET", "HEAD", "PATCH"):
            api.request(method, path)
    before = series()
    for _ in range(250):
        word = secrets.token_urlsafe(8)
        api.get(f"/{word}", headers={"host": word, "x-request-id": word})
        api.get(f"/v1/images/{word}")
        api.get(f"/v1/images/x/crops/{word}?{word}={word}")
        api.get(f"/examples/{word}")
    assert series() == before


def test_metrics_have_both_formats(api: httpx.Client) -> None:
    plain = api.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    openmetrics = api.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert openmetrics.text.endswith("# EOF\n")
    assert "gazecrop_model_info{" in plain.text and "gazecrop_loop_lag_seconds" in plain.text


def test_sizes_of_pictures_and_unreadable_ones_are_counted(api: httpx.Client) -> None:
    pictures = metric(api, "gazecrop_input_megapixels_count")
    errors = metric(api, "gazecrop_decode_errors_total", reason="unsupported_picture")
    api.post("/v1/images", content=jpeg(seed=801))
    api.post("/v1/images", content=b"no picture")
    assert metric(api, "gazecrop_input_megapixels_count") == pictures + 1
    assert metric(api, "gazecrop_decode_errors_total", reason="unsupported_picture") == errors + 1


def test_page_and_reference_load_nothing_from_other_origins(api: httpx.Client) -> None:
    for path in ("/", "/docs"):
        page = api.get(path)
        assert page.headers["content-security-policy"].startswith(POLICY)
        assert page.headers["x-content-type-options"] == "nosniff"
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
        assert "<script>" not in page.text and " style=" not in page.text  # the policy would stop them
        for link in re.findall(r"""(?:src|href)=["']([^"'#:]+)["']""", page.text):
            asset = api.get(httpx.URL(f"http://x{path}").join(link).path)
            assert asset.status_code == 200, link
            assert asset.headers["content-security-policy"].startswith(POLICY)


def test_files_are_always_complete(api: httpx.Client) -> None:
    whole = api.get("/page.js")
    for wanted in ("bytes=0-3", "bytes=99999999-", "nonsense"):
        part = api.get("/page.js", headers={"range": wanted})
        assert (part.status_code, part.content) == (200, whole.content)
    assert whole.headers["accept-ranges"] == "none"


@pytest.mark.redis
def test_a_store_that_dies_shows_while_no_request_needs_it(
    start_server: Callable[..., Server], redis_server: RedisServer
) -> None:
    with httpx.Client(base_url=start_server(REDIS_URL=redis_server.url).url) as api:

        def is_up() -> bool:
            shown = bool(api.get("/readyz").json()["store"])
            return shown and metric(api, "gazecrop_store_up") == 1.0

        assert is_up()
        redis_server.stop()
        until(lambda: not is_up(), 10)
        redis_server.start()
        until(is_up, 10)
