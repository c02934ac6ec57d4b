"""Fields of a form beside the file: parameters, as in the query string."""

from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from tests.api.test_compatibility import AZURE
from tests.helpers.contract import place_of, problem, wrong
from tests.helpers.pictures import jpeg


@pytest.fixture(scope="module")
def picture() -> bytes:
    return jpeg(seed=740)


def send(api: httpx.Client, target: str, data: bytes, fields: str) -> httpx.Response:
    """A form with these fields, given as a query string, some before and some behind the file."""
    pairs: list[tuple[str, Any]] = [(name, (None, value)) for name, value in parse_qsl(fields, True)]
    middle = len(pairs) // 2
    return api.post(target, files=[*pairs[:middle], ("file", ("a.jpg", data)), *pairs[middle:]])


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/images", "ratios=16:9,1:1&zoom=2&policy=centre&candidates=2"),
        ("/v1/images", "ratios=1:1&keep=0.6,0,.4,1&keep=0,.5,.2,.5&avoid=0,0,.1,.1"),
        ("/v1/crop", "ratio=2:1&width=100&format=png"),
        ("/v1/crop", "width=60&height=80&enlarge=true&format=webp&quality=30"),
        ("/v1/explain", "ratios=1:1&layers=boxes&format=png"),
        (AZURE, "features=smartCrops&smartcrops-aspect-ratios=0.9,1.33&language=en"),
    ],
)
def test_a_field_is_the_same_as_a_query_parameter(
    api: httpx.Client, picture: bytes, path: str, query: str
) -> None:
    api.post("/v1/images", content=picture)
    expected = api.post(f"{path}?{query}", content=picture)
    assert expected.status_code == 200, expected.text
    names = query.split("&")
    for in_query, in_form in (("", query), (names[0], "&".join(names[1:])), (query, "")):
        answer = send(api, f"{path}?{in_query}", picture, in_form)
        assert answer.status_code == 200, answer.text
        assert answer.content == expected.content
        assert answer.headers["content-type"] == expected.headers["content-type"]


def test_lists_of_the_query_and_the_form_are_joined(api: httpx.Client, picture: bytes) -> None:
    answer = send(api, "/v1/images?ratios=16:9", picture, "ratios=1:1&ratios=2:1")
    assert [crop["ratio"] for crop in answer.json()["crops"]] == ["16:9", "1:1", "2:1"]


@pytest.mark.parametrize(
    ("target", "fields", "names"),
    [
        ("/v1/images", "ratio=1:1", ["ratio"]),
        ("/v1/images", "other=x&more=y&zoom=9", ["other", "more", "zoom"]),
        ("/v1/images?size=1", "zoom=9", ["size", "zoom"]),
        ("/v1/images?zoom=1", "zoom=1", ["zoom"]),
        ("/v1/images", "ratios=", []),
        ("/v1/images", "=x", [""]),
        ("/v1/crop", "width=10", ["ratio"]),
        ("/v1/crop?width=10", "height=0&format=tiff", ["height", "format"]),
        ("/v1/explain", "layers=words", ["layers"]),
        ("/v1/images", "&".join(["keep=0,0,1,1"] * 17), ["keep"]),
    ],
)
def test_a_wrong_field_is_named(
    api: httpx.Client, picture: bytes, target: str, fields: str, names: list[str]
) -> None:
    answer = send(api, target, picture, fields)
    if not names:
        assert answer.status_code in (200, 201)
        return
    assert wrong(answer) == names


def test_another_file_is_a_wrong_field(api: httpx.Client, picture: bytes) -> None:
    answer = api.post("/v1/images", files={"file": ("a.jpg", picture), "thumbnail": ("b.jpg", b"\xff\xd8")})
    assert answer.status_code == 422


def test_fields_that_are_not_text_and_long_ones(api: httpx.Client, picture: bytes) -> None:
    answer = api.post("/v1/images", files={"zoom": (None, b"\xff\xfe"), "file": ("a.jpg", picture)})
    assert wrong(answer) == ["query"]
    long = api.post("/v1/images", files={"file": ("a.jpg", picture), "zoom": (None, b"1" * 64_001)})
    assert problem(long, 413, "body_too_large")["limit"] == 64_000


def test_the_deadline_of_a_form_counts_from_its_head(api: httpx.Client) -> None:
    files = {"file": ("a.jpg", jpeg(seed=741)), "ratios": (None, b"1:1")}
    late = api.post("/v1/images", files=files, headers={"x-request-timeout": "0.000001"})
    problem(late, 504, "deadline_passed")
    assert wrong(api.post("/v1/images", files=files, headers={"x-request-timeout": "x"})) == [
        "X-Request-Timeout"
    ]


@pytest.mark.parametrize("alias", [True, False])
def test_aliases(api: httpx.Client, picture: bytes, alias: bool) -> None:
    """`center` for `centre`, `jpg` for `jpeg`, `image/jpg` for `image/jpeg`, `.5` for `0.5`."""
    api.post("/v1/images", content=picture)
    crop = api.post(f"/v1/images?ratios=1:1&policy={'center' if alias else 'centre'}", content=picture).json()
    assert crop["crops"][0]["policy"] == "centre" and crop["crops"][0]["box"]["x"] == 80
    parameter = api.post(f"/v1/crop?ratio=1:1&format={'jpg' if alias else 'jpeg'}", content=picture)
    accept = {"accept": "image/webp;q=0.5, image/" + ("jpg" if alias else "jpeg")}
    header = api.post("/v1/crop?ratio=1:1", content=picture, headers=accept)
    png = {"accept": "image/png, image/" + ("jpg" if alias else "jpeg")}
    both = api.post("/v1/crop?ratio=1:1", content=picture, headers=png)
    only = api.post("/v1/explain", content=picture, headers={"accept": accept["accept"][18:]})
    assert {one.headers["content-type"] for one in (parameter, header, both, only)} == {"image/jpeg"}
    kept = api.post(
        f"/v1/images?ratios=1:2&keep={'.75,.5,.25,.5' if alias else '0.75,0.5,0.25,0.5'}", content=picture
    )
    assert kept.json()["crops"][0]["box"]["x"] == 400
    timeout = api.post("/v1/images", content=picture, headers={"x-request-timeout": ".5" if alias else "0.5"})
    assert timeout.status_code == 200


def test_the_etags_of_a_compressing_proxy_match(api: httpx.Client, picture: bytes) -> None:
    """Apache passes on its own ETag, `"…-gzip"`, in conditional requests."""
    place = place_of(api.post("/v1/images", content=picture))
    for path in ("", "/crops/1:1", "/saliency"):
        tag = api.get(place + path).headers["etag"]
        coded = {"if-none-match": f'"x", {tag[:-1]}-gzip"'}
        unchanged = api.get(place + path, headers=coded)
        assert (unchanged.status_code, unchanged.headers["etag"]) == (304, tag)
    focus = f"{place}/focus"
    tag = api.put(focus, json={"x": 0.5, "y": 0.5}).headers["etag"]
    coded_tag = f'{tag[:-1]}-gzip"'
    assert api.get(focus, headers={"if-none-match": coded_tag}).status_code == 304
    changed = api.put(focus, json={"x": 0.5, "y": 0.6}, headers={"if-match": coded_tag})
    assert changed.status_code == 200
    stale = api.put(focus, json={"x": 0.5, "y": 0.7}, headers={"if-match": coded_tag})
    problem(stale, 412, "precondition_failed")
    assert api.delete(focus).status_code == 204
