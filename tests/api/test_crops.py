"""/v1/images/{id}/crops and /v1/images/{id}/crops/{ratio}: from the cached map alone."""

from typing import Any

import httpx
import pytest

from gazecrop.crop.cropping import POLICIES
from gazecrop.crop.ratios import PROFILES
from gazecrop.http.openapi import schemas
from tests.helpers.contract import metric, place_of, problem, until, wrong
from tests.helpers.pictures import jpeg


@pytest.fixture(scope="module")
def place(api: httpx.Client, picture: bytes) -> str:
    return place_of(api.post("/v1/images", content=picture))


def crops(api: httpx.Client, place: str, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"{place}/crops{query}")
    assert answer.status_code == 200, answer.text
    schemas.Crops.model_validate(answer.json())
    found: list[dict[str, Any]] = answer.json()["crops"]
    return found


def test_they_are_the_crops_of_the_document(api: httpx.Client, place: str) -> None:
    document = api.get(place).json()
    assert crops(api, place) == document["crops"]
    assert {crop["profile"] for crop in document["crops"]} == PROFILES.keys()
    for crop in document["crops"]:
        for name in (crop["ratio"], crop["profile"]):
            one = api.get(f"{place}/crops/{name}")
            expected = crop if name in PROFILES else {k: v for k, v in crop.items() if k != "profile"}
            assert one.json() == expected
            schemas.Crop.model_validate(one.json())


def test_many_ratios_in_one_call_are_as_many_calls(api: httpx.Client, place: str) -> None:
    ratios = "16:9 1.91:1 1.7778 square 1:20 20:1 9:16 2:3 3:2 4:5 5:4 1:1 21:9 0.5 6:13 3:1".split()  # noqa: SIM905
    together = crops(api, place, f"?ratios={','.join(ratios)}&zoom=1.5&candidates=3")
    assert together == [api.get(f"{place}/crops/{ratio}?zoom=1.5&candidates=3").json() for ratio in ratios]
    assert wrong(api.get(f"{place}/crops?ratios={','.join(ratios)},1:1")) == ["ratios"]


def test_every_spelling_of_a_ratio_is_one_crop(api: httpx.Client, place: str) -> None:
    boxes = [crop["box"] for crop in crops(api, place, "?ratios=16:9,32:18,1.6:0.9, desktop ,016:009")]
    assert all(box == boxes[0] for box in boxes)
    for path in ("16:9", "16%3A9", "%31%36:9", "desktop"):
        assert api.get(f"{place}/crops/{path}").json()["box"] == boxes[0]


@pytest.mark.parametrize(
    "ratio",
    [
        "0:1",
        "1:0",
        "-1",
        "1:-1",
        "nan",
        "inf",
        "1e9",
        "a:b",
        "16:9:4",
        "20.1:1",
        "1:21",
        "",
        "%20",
        "16x9",
        "1,1",
    ]
    + ["%00", "%FF", "٣:٢", "9" * 400, "1:" + "0" * 300, "Square", "1.2345678"],
)
def test_an_invalid_ratio_is_named(api: httpx.Client, place: str, ratio: str) -> None:
    assert wrong(api.get(f"{place}/crops/{ratio}")) == ["ratio"]
    if ratio not in ("", "1,1", "%FF"):
        assert wrong(api.get(f"{place}/crops?ratios=1:1,{ratio}")) == ["ratios"]


@pytest.mark.parametrize("path", ["crops/16/9", "crops/16%2F9", "crops/1:1/", "crop", "crops2/1:1"])
def test_other_paths_are_not_found(api: httpx.Client, place: str, path: str) -> None:
    problem(api.get(f"{place}/{path}"), 404, "not_found")


def test_every_wrong_parameter_is_named_at_once(api: httpx.Client, place: str) -> None:
    query = "?ratios=1:1,x,0:1&policy=best&zoom=9&keep=1,1,1,1&avoid=0,0,1&candidates=6&colour=red&v=1&v=2"
    names = wrong(api.get(f"{place}/crops{query}"))
    assert sorted(names) == sorted(
        ["ratios", "ratios", "policy", "zoom", "keep", "avoid", "candidates", "colour", "v"]
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("zoom=0.99", ["zoom"]), ("zoom=4.01", ["zoom"]), ("zoom=nan", ["zoom"]), ("zoom=", ["zoom"]),
        ("zoom=2&zoom=3", ["zoom"]), ("zoom=1e0", ["zoom"]), ("policy=", ["policy"]), ("candidates=0", ["candidates"]),
        ("candidates=2.0", ["candidates"]), ("keep=0,0,0,0.5", ["keep"]), ("keep=0.5,0,0.6,1", ["keep"]),
        ("keep=-0.1,0,0.5,0.5", ["keep"]), ("keep=nan,0,1,1", ["keep"]), ("keep=", ["keep"]), ("ratio=1:1", ["ratio"]),
        ("&".join(["avoid=0,0,0.1,0.1"] * 17), ["avoid"]), ("&".join(["keep=0,0,0.1,0.1"] * 18), ["keep"] * 2),
        ("%ff=1", ["query"]), ("ratios=%c3%28", ["query"]), ("&".join(["v=1"] * 65), ["query"]),
        ("a=1&b=2", ["a", "b"]),
        ("policy=focus", ["policy"]), ("=", [""]), ("x" * 20_000 + "=1", ["x" * 40]),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(api: httpx.Client, place: str, query: str, names: list[str]) -> None:
    assert wrong(api.get(f"{place}/crops?{query}")) == names


def test_sixteen_of_each_constraint_are_accepted(api: httpx.Client, place: str) -> None:
    query = "&".join(["keep=0.4,0.4,0.1,0.1"] * 16 + ["avoid=0,0,0.01,0.01"] * 16)
    [crop] = crops(api, place, f"?ratios=1:1&{query}")
    box = crop["box"]
    assert "unmet" not in crop and box["x"] <= 256 and box["x"] + box["width"] >= 320


def test_an_unmet_constraint_is_reported_and_the_first_one_has_priority(
    api: httpx.Client, place: str
) -> None:
    left, right = "keep=0,0,0.1,1", "keep=0.9,0,0.1,1"
    for first, last in ((left, right), (right, left)):
        [crop] = crops(api, place, f"?ratios=1:1&{first}&{last}")
        assert crop["unmet"] == [{"parameter": "keep", "value": last.removeprefix("keep=")}]
        assert crop["box"]["x"] == (0 if first == left else 160)


def test_policies_are_followed_and_named(api: httpx.Client, place: str) -> None:
    found = {p: api.get(f"{place}/crops/1:1?zoom=2&policy={p}").json() for p in POLICIES if p != "focus"}
    assert found["auto"] == found["balanced"] and found["balanced"]["policy"] == "balanced"
    assert found["window"]["policy"] == "window" and found["careful"]["policy"] == "careful"
    assert found["centre"]["policy"] == "centre"
    assert found["centre"]["box"] == {"x": 200, "y": 120, "width": 240, "height": 240}
    point, box = api.get(place).json()["points"][0], found["point"]["box"]
    assert found["point"]["policy"] == "point"
    assert abs(box["x"] + 120 - point["x"] * 640) <= 1 and abs(box["y"] + 120 - point["y"] * 480) <= 1


def test_alternatives_differ(api: httpx.Client, place: str) -> None:
    [crop] = crops(api, place, "?ratios=1:1&zoom=4&candidates=5")
    boxes = [crop["box"], *(other["box"] for other in crop["alternatives"])]
    shares = [other["importance_fraction"] for other in crop["alternatives"]]
    assert len(boxes) == 5 and shares == sorted(shares, reverse=True)
    for index, one in enumerate(boxes):
        for other in boxes[:index]:
            wide = max(0, one["width"] - abs(one["x"] - other["x"]))
            high = max(0, one["height"] - abs(one["y"] - other["y"]))
            both = wide * high
            assert both / (2 * one["width"] * one["height"] - both) <= 0.5


def test_a_crop_costs_no_inference_and_counts_by_its_template(api: httpx.Client, place: str) -> None:
    route = "/v1/images/{id}/crops/{ratio}"
    before = metric(api, "gazecrop_requests_total", route=route, method="HEAD", status="200")
    inferred = metric(api, "gazecrop_stage_seconds_count", stage="infer")
    assert api.head(f"{place}/crops/1:1").status_code == 200
    until(
        lambda: metric(api, "gazecrop_requests_total", route=route, method="HEAD", status="200") == before + 1
    )
    assert metric(api, "gazecrop_stage_seconds_count", stage="infer") == inferred


def test_a_focus_set_or_removed_invalidates_cached_responses(api: httpx.Client) -> None:
    """The responses of the hot route are cached, but never beyond a change."""
    place = place_of(api.post("/v1/images", content=jpeg(seed=110)))
    target = f"{place}/crops/1:1?zoom=2"
    first = api.get(target)
    api.put(f"{place}/focus", json={"x": 0.95, "y": 0.95})
    second = api.get(target)
    assert second.json()["box"] == {"x": 400, "y": 240, "width": 240, "height": 240}
    assert (second.json()["policy"], first.json()["policy"]) == ("focus", "balanced")
    assert api.get(target, headers={"if-none-match": first.headers["etag"]}).status_code == 200
    api.delete(f"{place}/focus")
    assert api.get(target).json() == first.json()
    api.delete(place)
    problem(api.get(target), 404, "image_not_found")


@pytest.mark.parametrize(
    "id", ["0" * 32, "x", "%00", "%FF%FE", "..%2F..", "a" * 10_000, "😀", "%0A", "A" * 32, " "]
)
def test_an_unknown_id_is_not_found(api: httpx.Client, id: str) -> None:
    for path in ("", "/crops", "/crops/1:1", "/saliency"):
        answer = api.get(f"/v1/images/{id}{path}")
        assert problem(answer, 404, "image_not_found" if "%2F" not in id else "not_found")["detail"]
