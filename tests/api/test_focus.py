"""/v1/images/{id}/focus: a person's point takes precedence over the network, is durable, and has no lost updates."""

from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from gazecrop.http.openapi import schemas
from tests.conftest import RedisServer, serving
from tests.helpers.contract import client, place_of, problem, until, wrong
from tests.helpers.pictures import jpeg

pytestmark = pytest.mark.redis
_seeds = count(300)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis") / "s")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def replicas(
    redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Two servers on one Redis, which accept at most four focal points."""
    settings = {
        "REDIS_URL": f"{redis.url}?socket_timeout=1",  # 50 ms may be too short for a Redis on a busy machine
        "GAZECROP_MAX_FOCUS": "4",
        "GAZECROP_WORKERS": "1",
    }
    with (
        serving(tmp_path_factory.mktemp("one"), settings) as one,
        serving(tmp_path_factory.mktemp("two"), settings) as two,
        client(one.url) as first,
        client(two.url) as second,
    ):
        yield first, second


@pytest.fixture
def place(api: httpx.Client) -> Iterator[str]:
    """A picture that no other test uses, on the server with the embedded store."""
    yield from uploaded(api)


@pytest.fixture
def shared(replicas: tuple[httpx.Client, httpx.Client]) -> Iterator[str]:
    """The same through the first of the two replicas."""
    yield from uploaded(replicas[0])


def uploaded(api: httpx.Client) -> Iterator[str]:
    place = place_of(api.post("/v1/images", content=jpeg(seed=next(_seeds))))
    yield place
    api.delete(place)


POINT = {"x": 0.31, "y": 0.42}


def test_put_get_delete(api: httpx.Client, place: str) -> None:
    problem(api.get(f"{place}/focus"), 404, "focus_not_found")
    created = api.put(f"{place}/focus", json=POINT)
    assert (created.status_code, created.json()) == (201, POINT | {"source": "person"})
    shown = api.get(f"{place}/focus")
    assert (shown.json(), shown.headers["etag"]) == (created.json(), created.headers["etag"])
    head = api.head(f"{place}/focus")
    assert head.headers["etag"] == shown.headers["etag"] and head.content == b""
    assert head.headers["content-length"] == str(len(shown.content))
    replaced = api.put(f"{place}/focus", json=POINT | {"x": 1})
    assert (replaced.status_code, replaced.json()["x"]) == (200, 1.0)
    assert replaced.headers["etag"] != created.headers["etag"]
    assert [api.delete(f"{place}/focus").status_code for _ in range(2)] == [204, 204]
    problem(api.get(f"{place}/focus"), 404, "focus_not_found")


def test_an_unchanged_focus_is_304(api: httpx.Client, place: str) -> None:
    tag = api.put(f"{place}/focus", json=POINT).headers["etag"]
    assert api.get(f"{place}/focus", headers={"if-none-match": tag}).status_code == 304
    tag = api.put(f"{place}/focus", json=POINT).headers["etag"]  # the same point, set anew
    assert api.get(f"{place}/focus", headers={"if-none-match": '"x"'}).status_code == 200
    assert "public" not in api.get(f"{place}/focus").headers["cache-control"]


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_lost_updates_are_refused(
    store: str, api: httpx.Client, place: str, replicas: tuple[httpx.Client, httpx.Client], shared: str
) -> None:
    if store == "redis":
        api, place = replicas[0], shared
    focus = f"{place}/focus"

    def put(**conditions: str) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        return api.put(focus, json=POINT, headers=headers)

    problem(put(if_match="*"), 412, "precondition_failed")  # there is none yet
    first = put(if_none_match="*")
    assert first.status_code == 201
    refused = problem(put(if_none_match="*"), 412, "precondition_failed")
    assert (
        "someone" not in refused["detail"] and "If-None-Match" in refused["detail"]
    )  # no one else changed it
    tag = first.headers["etag"]
    second = put(if_match=tag)
    assert second.status_code == 200
    for stale in (tag, '"focus-1"', '"x"', "", f"W/{second.headers['etag']}", '"focus-' + "9" * 19 + '"'):
        problem(put(if_match=stale), 412, "precondition_failed")
        problem(api.delete(focus, headers={"if-match": stale}), 412, "precondition_failed")
    assert put(if_match=f'"x", {second.headers["etag"]}').status_code == 200
    third = put(if_match="*")
    assert third.status_code == 200
    tag, old = third.headers["etag"], second.headers["etag"]
    for present in (tag, f"W/{tag}", f'"x", {tag}', f"{old},W/{tag}", '"x", *'):
        problem(put(if_none_match=present), 412, "precondition_failed")
        problem(api.delete(focus, headers={"if-none-match": present}), 412, "precondition_failed")
    problem(put(if_match="*", if_none_match="*"), 412, "precondition_failed")
    assert api.get(focus).headers["etag"] == tag
    several = [("if-none-match", old), ("if-none-match", "*")]  # two lines of one header are one list
    problem(api.put(focus, json=POINT, headers=several), 412, "precondition_failed")
    assert put(if_match=tag, if_none_match=f'"x", {old}').status_code == 200
    assert put(if_none_match="").status_code == 200
    assert api.delete(focus, headers={"if-match": "*"}).status_code == 204
    problem(api.delete(focus, headers={"if-match": "*"}), 412, "precondition_failed")
    anew = put(if_none_match=tag)
    assert anew.status_code == 201 and anew.headers["etag"] not in (tag, old)


def test_it_applies_to_every_ratio_and_takes_precedence_over_the_network(
    api: httpx.Client, place: str
) -> None:
    before = api.get(place).json()
    api.put(f"{place}/focus", json={"x": 0.9, "y": 0.8})
    after = api.get(place).json()
    assert after["focus"] == {"x": 0.9, "y": 0.8, "source": "person"}
    assert after["version"] != before["version"] and after["points"] == before["points"]
    for crop in after["crops"]:
        box = crop["box"]
        assert crop["policy"] == "focus" and crop.get("confidence") is None
        for start, size, point, side in (
            (box["x"], box["width"], 0.9, 640),
            (box["y"], box["height"], 0.8, 480),
        ):
            assert abs(start - min(max(point * side - size / 2, 0), side - size)) <= 1
    assert api.get(f"{place}/crops/1:1?policy=window").json()["policy"] == "window"
    assert api.get(f"{place}/crops/1:1?policy=focus").json() == api.get(f"{place}/crops/1:1").json()


def test_keep_comes_before_focus(api: httpx.Client, place: str) -> None:
    api.put(f"{place}/focus", json={"x": 1, "y": 0.5})
    crop = api.get(f"{place}/crops/9:16?keep=0,0,0.1,1").json()
    assert (crop["box"]["x"], crop["policy"]) == (0, "focus") and "unmet" not in crop


def test_it_applies_again_when_the_bytes_are_uploaded_again(api: httpx.Client) -> None:
    data = jpeg(seed=next(_seeds))
    place = place_of(api.post("/v1/images", content=data))
    api.put(f"{place}/focus", json=POINT)
    again = api.post("/v1/images?ratios=1:1", content=data)
    assert again.status_code == 200 and again.json()["focus"] == POINT | {"source": "person"}
    assert again.json()["crops"][0]["policy"] == "focus"


def test_it_survives_the_eviction_of_its_map(
    replicas: tuple[httpx.Client, httpx.Client], redis: RedisServer
) -> None:
    import redis as client_of_redis

    api, data = replicas[0], jpeg(seed=next(_seeds))
    document = api.post("/v1/images", content=data).json()
    place = f"/v1/images/{document['id']}"
    api.put(f"{place}/focus", json=POINT)
    with client_of_redis.Redis(unix_socket_path=str(redis.path)) as store:
        [key] = [key for key in store.keys(f"*{document['id']}*") if store.ttl(key) > 0]  # what may expire
        store.delete(key)
    until(lambda: api.get(place).status_code == 404)
    assert api.get(f"{place}/focus").json() == POINT | {"source": "person"}
    again = api.post("/v1/images", content=data)
    assert again.status_code == 201 and again.json()["focus"] == POINT | {"source": "person"}
    api.delete(place)
    problem(api.get(f"{place}/focus"), 404, "focus_not_found")


def test_another_replica_sees_it(replicas: tuple[httpx.Client, httpx.Client], shared: str) -> None:
    first, second = replicas
    assert second.get(shared).json() == first.get(shared).json()  # it is in both memories now
    first.put(f"{shared}/focus", json=POINT)
    until(lambda: second.get(f"{shared}/crops/1:1").json()["policy"] == "focus")
    assert second.get(f"{shared}/focus").json() == POINT | {"source": "person"}
    first.delete(f"{shared}/focus")
    until(lambda: second.get(f"{shared}/crops/1:1").json()["policy"] == "balanced")
    first.delete(shared)
    until(lambda: second.get(shared).status_code == 404)


def test_too_many_are_507(replicas: tuple[httpx.Client, httpx.Client]) -> None:
    api = replicas[0]
    places = [place_of(api.post("/v1/images", content=jpeg(seed=next(_seeds)))) for _ in range(5)]
    answers = [api.put(f"{place}/focus", json=POINT) for place in places]
    assert [answer.status_code for answer in answers] == [201] * 4 + [507]
    assert problem(answers[-1], 507, "store_full")["limit"] == 4
    assert api.put(f"{places[0]}/focus", json=POINT).status_code == 200  # to change one is no more
    api.delete(f"{places[0]}/focus")
    assert api.put(f"{places[-1]}/focus", json=POINT).status_code == 201
    for place in places:
        api.delete(place)


def test_the_id_must_exist(api: httpx.Client) -> None:
    for id in ("0" * 32, "x", "%00", "%FF", "a" * 5000):
        problem(api.put(f"/v1/images/{id}/focus", json=POINT), 404, "image_not_found")
        problem(api.get(f"/v1/images/{id}/focus"), 404, "focus_not_found")
        assert api.delete(f"/v1/images/{id}/focus").status_code == 204


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"", ["body"]), (b"{", ["body"]), (b"[]", ["body"]), (b"null", ["body"]), (b'"x"', ["body"]),
        (b"\xff", ["body"]),
        (b"{}", ["x", "y"]), (b'{"x": 0.5}', ["y"]), (b'{"x": "0.5", "y": true}', ["x", "y"]),
        (b'{"x": -0.01, "y": 1.01}', ["x", "y"]), (b'{"x": NaN, "y": 0}', ["body"]),
        (b'{"x": 1e999, "y": 0}', ["body"]),         (b'{"x": 0, "y": 1, "z": 2, "\\u0000": 3}', ["z", "\0"]),
        (b'{"x":1,"y":1' + b"0" * 40 + b"}", ["y"]),
        (b'{"\\ud800": 1}', ["body"]), (b"[" * 2000, ["body"]), (b'{"x":' * 700, ["body"]),
    ],
)  # fmt: skip
def test_an_invalid_focus_is_refused(api: httpx.Client, place: str, body: bytes, names: list[str]) -> None:
    assert wrong(api.put(f"{place}/focus", content=body)) == names


def test_the_body_is_small_json(api: httpx.Client, place: str) -> None:
    document = problem(api.put(f"{place}/focus", content=b" " * 5000), 413, "body_too_large")
    assert (document["limit"], document["received"]) == (4096, 5000)
    form = api.put(f"{place}/focus", files={"file": b"x"})
    assert wrong(form) == ["body"]


def test_redis_goes_and_comes_back(
    replicas: tuple[httpx.Client, httpx.Client], redis: RedisServer, shared: str
) -> None:
    """Uploads and cached crops keep working; a focus is never confirmed without being stored; then all recovers."""
    api, data = replicas[0], jpeg(seed=next(_seeds))
    known = api.get(shared).json()
    redis.stop()
    until(lambda: api.get(f"{shared}/crops/1:1").headers.get("x-degraded") == "store")
    assert api.get(shared).json() == known
    away = api.post("/v1/images", content=data)
    assert (away.status_code, away.headers["x-degraded"]) == (201, "store")
    kept = api.get(place_of(away))
    assert (kept.status_code, kept.headers["x-degraded"]) == (200, "store")
    cut = api.post("/v1/crop?ratio=1:1", content=data)
    assert (cut.status_code, cut.headers["x-degraded"]) == (200, "store")
    for refused in (
        api.put(f"{shared}/focus", json=POINT),
        api.delete(f"{shared}/focus"),
        api.delete(shared),
        api.get(f"/v1/images/{'0' * 32}"),
        api.get(f"/v1/images/{'0' * 32}/focus"),
    ):
        problem(refused, 503, "store_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json()["store"]) == (200, False)
    assert "gazecrop_store_up 0.0" in api.get("/metrics").text
    redis.start()  # empty, as after a crash
    until(lambda: "x-degraded" not in api.get(place_of(away)).headers)
    second = replicas[1]
    until(lambda: second.get(place_of(away)).status_code == 200)
    assert second.get(place_of(away)).json() == away.json()
    assert api.put(f"{place_of(away)}/focus", json=POINT).status_code == 201
    assert api.get("/readyz").json()["store"] is True


def test_a_profile_has_a_focus_of_its_own(api: httpx.Client, place: str) -> None:
    plain = api.get(place).json()
    general = api.put(f"{place}/focus", json=POINT)
    story = api.put(f"{place}/focus?profile=story", json={"x": 0.9, "y": 0.5})
    assert (story.status_code, story.json()) == (201, {"x": 0.9, "y": 0.5, "source": "person"})
    assert story.headers["etag"] != general.headers["etag"]
    document = api.get(place).json()
    schemas.Document.model_validate(document)
    assert document["focus"] == POINT | {"source": "person", "profiles": {"story": {"x": 0.9, "y": 0.5}}}
    assert document["version"] != plain["version"]
    boxes = {crop["profile"]: crop["box"] for crop in document["crops"]}
    assert boxes["story"]["x"] + boxes["story"]["width"] / 2 == pytest.approx(0.9 * 640, abs=136)
    own, same = api.get(f"{place}/crops/story").json(), api.get(f"{place}/crops/9:16").json()
    assert own["box"] == boxes["story"] != same["box"] and own["policy"] == same["policy"] == "focus"
    assert api.get(f"{place}/focus").json() == general.json()
    tag = story.headers["etag"]
    assert api.get(f"{place}/focus?profile=story", headers={"if-none-match": tag}).status_code == 304
    problem(
        api.put(f"{place}/focus?profile=story", json=POINT, headers={"if-match": general.headers["etag"]}),
        412,
        "precondition_failed",
    )
    assert api.delete(f"{place}/focus").status_code == 204
    document = api.get(place).json()
    assert document["focus"]["source"] == "model" and "story" in document["focus"]["profiles"]
    assert api.get(f"{place}/crops/story").json()["policy"] == "focus"
    assert api.get(f"{place}/crops/story?policy=focus").status_code == 200
    assert wrong(api.get(f"{place}/crops?ratios=story,1:1&policy=focus")) == ["policy"]
    assert api.delete(f"{place}/focus?profile=story", headers={"if-match": tag}).status_code == 204
    problem(api.get(f"{place}/focus?profile=story"), 404, "focus_not_found")
    assert api.get(place).json() == plain


@pytest.mark.parametrize(
    "query", ["profile=", "profile=Story", "profile=9:16", "profile=story&profile=wide", "x=1"]
)
def test_other_profiles_are_refused(api: httpx.Client, place: str, query: str) -> None:
    name = "x" if query == "x=1" else "profile"
    for answer in (
        api.get(f"{place}/focus?{query}"),
        api.put(f"{place}/focus?{query}", json=POINT),
        api.delete(f"{place}/focus?{query}"),
    ):
        assert wrong(answer) == [name]


def test_another_replica_sees_the_focus_of_a_profile(
    replicas: tuple[httpx.Client, httpx.Client], shared: str
) -> None:
    first, second = replicas
    assert second.get(shared).json() == first.get(shared).json()
    first.put(f"{shared}/focus?profile=story", json=POINT)
    until(lambda: second.get(f"{shared}/crops/story").json()["policy"] == "focus")
    assert second.get(f"{shared}/crops/1:1").json()["policy"] != "focus"
