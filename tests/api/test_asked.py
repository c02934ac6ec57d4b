"""What people ask for, over HTTP: zoom to the subject, fields."""

import httpx
import pytest

from gazecrop.crop.fields import FORMS
from gazecrop.http.openapi import schemas
from tests.helpers.contract import place_of, problem, wrong


@pytest.fixture(scope="module")
def place(api: httpx.Client, picture: bytes) -> str:
    return place_of(api.post("/v1/images", content=picture))


def test_zoom_auto(api: httpx.Client, place: str, picture: bytes) -> None:
    plain = api.get(f"{place}/crops/1:1").json()
    near = api.get(f"{place}/crops/1:1?zoom=auto").json()
    schemas.Crop.model_validate(near)
    assert near["policy"] == "subject" and 1 < near["zoom"] <= 4 and "zoom" not in plain
    assert near["box"]["width"] == pytest.approx(plain["box"]["width"] / near["zoom"], abs=1)
    [again] = api.post("/v1/images?zoom=auto&ratios=1:1", content=picture).json()["crops"]
    assert again == near
    wide = api.get(f"{place}/crops/1:1?zoom=auto&fill=0.3&align=0.5,0.4").json()
    assert wide["zoom"] <= near["zoom"]
    assert wrong(api.get(f"{place}/crops?zoom=2&fill=0.5&align=0.5,0.5")) == ["fill", "align"]


def test_zoom_auto_takes_no_box_smaller_than_the_output(api: httpx.Client, picture: bytes) -> None:
    def width(query: str) -> int:
        answer = api.post(f"/v1/crop?ratio=1:1&zoom=auto&{query}", content=picture)
        assert answer.status_code == 200
        return int(answer.headers["x-gazecrop-box"].split(",")[2])

    closest = width("")
    assert width(f"width={closest + 50}") == closest + 50
    assert width(f"width={closest + 50}&enlarge=true") == closest
    assert width("height=20") == closest


def test_fields_of_content_management_systems(api: httpx.Client, place: str, picture: bytes) -> None:
    one = api.get(f"{place}/crops/1:1?fields=kirby,sanity").json()
    schemas.Crop.model_validate(one)
    assert list(one["fields"]) == ["kirby", "sanity"] and one["fields"]["kirby"].count("%") == 2
    names = ",".join(FORMS)
    [all_] = api.post(f"/v1/images?ratios=1:1&fields={names}", content=picture).json()["crops"]
    assert list(all_["fields"]) == list(FORMS) and all_["fields"]["sanity"] == one["fields"]["sanity"]
    refused = api.get(f"{place}/crops?fields=drupal")
    assert wrong(refused) == ["fields"] and "sanity" in refused.json()["detail"]
    assert wrong(api.post("/v1/crop?ratio=1:1&fields=sanity", content=picture)) == ["fields"]


def test_overlay(api: httpx.Client, place: str) -> None:
    query = "policy=window&overlay=0,0,0.6,1"
    plain, covered = (
        api.get(f"{place}/crops/1:1?policy=window").json(),
        api.get(f"{place}/crops/1:1?{query}").json(),
    )
    schemas.Crop.model_validate(covered)
    assert covered["box"]["x"] < plain["box"]["x"]
    everything = api.get(f"{place}/crops/1:1?overlay=0,0,1,1").json()
    schemas.Crop.model_validate(everything)
    assert everything["unmet"] == [{"parameter": "overlay", "value": "0,0,1,1"}]
    five = "&".join(["overlay=0,0,0.1,0.1"] * 5)
    assert wrong(api.get(f"{place}/crops?{five}")) == ["overlay"]
    worst = "&".join(["overlay=0.1,0.1,0.8,0.8"] * 4)
    assert api.get(f"{place}/crops?zoom=1.5&candidates=5&policy=balanced&{worst}").status_code == 200


def test_a_picture_element(api: httpx.Client, place: str) -> None:
    query = "breakpoints=story@480,1:1@1024,16:9&src=/p/{ratio}.jpg&alt=A%20%22dog%22&policy=window"
    html = api.get(f"{place}/picture?{query}")
    assert html.headers["content-type"] == "text/html; charset=utf-8" and html.headers["vary"] == "Accept"
    assert (
        html.text.count("<source ") == 2
        and 'src="/p/16x9.jpg"' in html.text
        and "A &quot;dog&quot;" in html.text
    )
    assert "sandbox" in html.headers["content-security-policy"]
    json = api.get(f"{place}/picture?{query}", headers={"accept": "application/json"})
    schemas.ArtDirection.model_validate(json.json())
    assert json.json()["html"] + "\n" == html.text
    assert json.headers["etag"] != html.headers["etag"]
    assert json.json() == api.get(f"{place}/picture?{query}&format=json").json()
    crops = [source["crop"] for source in json.json()["sources"]]
    assert crops == api.get(f"{place}/crops?ratios=story,1:1,16:9&policy=window").json()["crops"]
    tag = html.headers["etag"]
    assert api.get(f"{place}/picture?{query}", headers={"if-none-match": tag}).status_code == 304
    problem(api.get(f"{place}/picture?{query}", headers={"accept": "image/png"}), 406, "not_acceptable")
    refused = api.get(f"{place}/picture?breakpoints=1:1@x,16:9&src=javascript:x&format=xml&zoom=9&ratios=1:1")
    assert sorted(wrong(refused)) == ["breakpoints", "format", "ratios", "src", "zoom"]
    assert wrong(api.get(f"{place}/picture")) == ["breakpoints"]
    problem(api.get(f"/v1/images/{'0' * 32}/picture?breakpoints=1:1"), 404, "image_not_found")
