"""The two compatibility endpoints with the vendors' own clients (over plain http on loopback, as in the README)."""

import base64
import warnings
from typing import Any

import httpx
import pytest

from gazecrop.crop.params import one_ratio
from gazecrop.crop.ratios import box_size
from tests.conftest import Server
from tests.helpers.contract import metric
from tests.helpers.pictures import draw, encode, jpeg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their packages' own, at import
    from azure.ai.vision.imageanalysis import ImageAnalysisClient
    from azure.ai.vision.imageanalysis.models import VisualFeatures
    from azure.core.credentials import AzureKeyCredential
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline.policies import AzureKeyCredentialPolicy
    from google.api_core.exceptions import BadRequest, GoogleAPICallError
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import vision
    from google.cloud.vision_v1.services.image_annotator.transports import ImageAnnotatorRestTransport

GOOGLE, AZURE = "/v1/images:annotate", "/computervision/imageanalysis:analyze"
NOT_FETCHED = "never fetches"
INVALID_RATIOS: list[Any] = [
    1,
    {"a": 1},
    [None],
    ["one"],
    [""],
    [" 1"],
    ["0x1"],
    ["1_0"],
    ["NaN"],
    ["-Infinity"],
    ["0"],
    ["21"],
    [True],
    [0],
    [-1],
    [1e-7],
    [1e300],
    [21],
    [0.04],
    [1] * 17,
    [[]],
]


@pytest.fixture(scope="module")
def google(server: Server) -> vision.ImageAnnotatorClient:
    return google_client(server.url)


@pytest.fixture(scope="module")
def azure(server: Server) -> ImageAnalysisClient:
    return azure_client(server.url)


def google_client(url: str) -> vision.ImageAnnotatorClient:
    anyone = AnonymousCredentials()  # type: ignore[no-untyped-call]
    transport = ImageAnnotatorRestTransport(host=url, credentials=anyone, url_scheme="http")
    return vision.ImageAnnotatorClient(transport=transport)


def azure_client(url: str, key: str = "any") -> ImageAnalysisClient:
    """The default policy refuses plain http; this one sends the same header."""
    credential = AzureKeyCredential(key)
    policy = AzureKeyCredentialPolicy(credential, "Ocp-Apim-Subscription-Key")
    return ImageAnalysisClient(url, credential, authentication_policy=policy, retry_total=0)


def hints(google: vision.ImageAnnotatorClient, data: bytes, *ratios: float) -> Any:
    context = vision.ImageContext(crop_hints_params=vision.CropHintsParams(aspect_ratios=ratios))
    return google.crop_hints(image=vision.Image(content=data), image_context=context)


def boxes(answer: Any) -> list[tuple[int, int, int, int]]:
    found = []
    for hint in answer.crop_hints_annotation.crop_hints:
        xs, ys = zip(*((v.x, v.y) for v in hint.bounding_poly.vertices), strict=True)
        found.append((min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))
    return found


def ours(api: httpx.Client, data: bytes, ratios: str) -> list[tuple[int, int, int, int]]:
    crops = api.post(f"/v1/images?ratios={ratios}", content=data).json()["crops"]
    return [(c["box"]["x"], c["box"]["y"], c["box"]["width"], c["box"]["height"]) for c in crops]


def test_google_s_client_gets_the_same_boxes(
    api: httpx.Client, google: vision.ImageAnnotatorClient, picture: bytes
) -> None:
    answer = hints(google, picture, 1.5, 1.0, 0.5)
    assert boxes(answer) == ours(api, picture, "1.5,1,0.5")
    assert not answer.error.message
    crops = api.post("/v1/images?ratios=1.5,1,0.5", content=picture).json()["crops"]
    for hint, crop in zip(answer.crop_hints_annotation.crop_hints, crops, strict=True):
        assert abs(hint.importance_fraction - crop["importance_fraction"]) < 1e-4
        assert abs(hint.confidence - (crop["confidence"] or 0)) < 1e-4


def test_google_s_client_without_ratios_gets_one_hint(
    google: vision.ImageAnnotatorClient, picture: bytes
) -> None:
    [(x, y, width, height)] = boxes(google.crop_hints(image=vision.Image(content=picture)))
    assert 0.5 <= width / height <= 2 and x <= 192 <= x + width and y <= 192 <= y + height


def test_one_wrong_request_of_google_s_does_not_fail_the_others(
    google: vision.ImageAnnotatorClient, picture: bytes
) -> None:
    feature = vision.Feature(type_=vision.Feature.Type.CROP_HINTS)
    labels = vision.Feature(type_=vision.Feature.Type.LABEL_DETECTION)
    source = vision.ImageSource(image_uri="https://example.org/a.jpg")
    too_many = vision.ImageContext(crop_hints_params=vision.CropHintsParams(aspect_ratios=[1.0] * 17))
    requests = [
        vision.AnnotateImageRequest(image=vision.Image(content=picture), features=[feature]),
        vision.AnnotateImageRequest(image=vision.Image(content=b"no picture"), features=[feature]),
        vision.AnnotateImageRequest(image=vision.Image(content=picture[:3000]), features=[feature]),
        vision.AnnotateImageRequest(image=vision.Image(content=picture), features=[labels]),
        vision.AnnotateImageRequest(image=vision.Image(content=picture), features=[labels, feature]),
        vision.AnnotateImageRequest(image=vision.Image(source=source), features=[feature]),
        vision.AnnotateImageRequest(
            image=vision.Image(content=picture), features=[feature], image_context=too_many
        ),
        vision.AnnotateImageRequest(image=vision.Image(content=picture)),
    ]
    answers = google.batch_annotate_images(requests=requests).responses
    assert [answer.error.code for answer in answers] == [0, 3, 3, 12, 12, 3, 3, 3]
    assert [len(boxes(answer)) for answer in answers] == [1, 0, 0, 0, 1, 0, 0, 0]
    assert NOT_FETCHED in answers[5].error.message


def test_google_s_client_raises_its_own_errors(google: vision.ImageAnnotatorClient) -> None:
    with pytest.raises(BadRequest, match="At most 16 requests"):
        google.batch_annotate_images(requests=[vision.AnnotateImageRequest()] * 17)
    with pytest.raises(GoogleAPICallError):
        google.batch_annotate_images(requests=[])


@pytest.mark.parametrize("ratio", ["1.77", "1.77e0", "177E-2", "0.177e+1", 1.77])
def test_numbers_of_google_s_json_may_be_strings(api: httpx.Client, picture: bytes, ratio: Any) -> None:
    content = base64.b64encode(picture).decode()
    one = {"image": {"content": content}, "features": [{"type": "CROP_HINTS", "maxResults": "1"}]}
    context = {"imageContext": {"cropHintsParams": {"aspectRatios": [ratio, "1"]}}}
    first, second = google_post(api, one | context)["cropHintsAnnotation"]["cropHints"]
    plain = {"imageContext": {"cropHintsParams": {"aspectRatios": [1.77, 1]}}}
    assert [first, second] == google_post(api, one | plain)["cropHintsAnnotation"]["cropHints"]


def google_post(api: httpx.Client, one: Any, **more: Any) -> dict[str, Any]:
    answer = api.post(GOOGLE, json={"requests": [one]}, **more)
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["responses"]
    return dict(found)


@pytest.mark.parametrize(
    "spelling",
    ["camel", "snake", "number", "url-safe", "unpadded", "mime", "lines", "spaced url-safe", "strings"],
)
def test_google_s_json_is_read_in_every_form(api: httpx.Client, spelling: str) -> None:
    data = next(d for s in range(500, 600) if (d := jpeg(seed=s)) and len(d) % 3)  # with padding
    content = base64.b64encode(data).decode()
    if spelling == "url-safe":
        content = base64.urlsafe_b64encode(data).decode()
    if spelling == "unpadded":
        content = content.rstrip("=")
    if spelling == "mime":
        content = base64.encodebytes(data).decode()
    if spelling == "lines":
        content = "\r\n".join(content[at : at + 64] for at in range(0, len(content), 64))
    if spelling == "spaced url-safe":
        content = " \t\n".join((*base64.urlsafe_b64encode(data).decode().rstrip("=").partition("A"), ""))
    kind: Any = {"number": 9, "strings": "9"}.get(spelling, "CROP_HINTS")
    ratio: Any = {"strings": "1.0"}.get(spelling, 1)
    context = {"cropHintsParams": {"aspectRatios": [ratio]}}
    one: dict[str, Any] = {"image": {"content": content}, "features": [{"type": kind, "maxResults": 1}]}
    one["imageContext"] = context
    if spelling == "snake":
        del one["imageContext"]
        one["image_context"] = {"crop_hints_params": {"aspect_ratios": [1.0]}}
    [hint] = google_post(api, one)["cropHintsAnnotation"]["cropHints"]
    vertices = hint["boundingPoly"]["vertices"]
    assert vertices[2]["x"] - vertices[0]["x"] == vertices[2]["y"] - vertices[0]["y"] == 480


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"{}", b'{"requests": 1}', b'{"requests": {}}', b'{"requests": []}', b"\xff"]
    + [b'{"requests":[' + b"{}," * 16 + b"{}]}", b'{"requests": "\\ud800"}'],
)
def test_an_invalid_body_of_google_s_is_400(api: httpx.Client, body: bytes) -> None:
    answer = api.post(f"{GOOGLE}?%24alt=json%3Benum-encoding%3Dint", content=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert error["message"]


@pytest.mark.parametrize(
    "one",
    [
        None, 1, [], {}, {"features": None}, {"features": [None]}, {"features": [{"type": {}}]}, {"features": [{}]},
        {"features": [{"type": "CROP_HINTS"}]}, {"features": [{"type": 9}], "image": []},
        {"features": [{"type": 9}], "image": {"content": 1}}, {"features": [{"type": 9}], "image": {"content": "é"}},
        {"features": [{"type": 9}], "image": {"content": "!!!!"}},
        {"features": [{"type": 9}], "image": {"content": ""}},
        {"features": [{"type": 9}], "image": {"content": "AAAAA"}},
        {"features": [{"type": 9}], "imageContext": 1},
        {"features": [{"type": 9}], "imageContext": {"cropHintsParams": []}},
        *(
            {"features": [{"type": 9}], "imageContext": {"cropHintsParams": {"aspectRatios": ratios}}}
            for ratios in INVALID_RATIOS
        ),
    ],
)  # fmt: skip
def test_an_invalid_request_of_google_s_has_its_own_error(api: httpx.Client, one: Any) -> None:
    found = google_post(api, one)
    assert found.keys() == {"error"} and found["error"]["code"] in (3, 12) and found["error"]["message"]


def test_azure_s_client_gets_the_same_boxes(
    api: httpx.Client, azure: ImageAnalysisClient, picture: bytes
) -> None:
    answer = azure.analyze(
        image_data=picture,
        visual_features=[VisualFeatures.SMART_CROPS],
        smart_crops_aspect_ratios=[0.9, 1.33, 0.3],
    )
    assert (answer.metadata.width, answer.metadata.height) == (640, 480)
    assert answer.model_version == api.post("/v1/images", content=picture).json()["model"]
    assert answer.smart_crops is not None
    found = [
        (c.bounding_box.x, c.bounding_box.y, c.bounding_box.width, c.bounding_box.height)
        for c in answer.smart_crops.list
    ]
    assert found == ours(api, picture, "0.9,1.33,0.3")
    assert [crop.aspect_ratio for crop in answer.smart_crops.list] == [0.9, 1.33, 0.3]


def test_azure_s_client_without_ratios_gets_one_crop(azure: ImageAnalysisClient) -> None:
    data = encode(draw(1000, 300, disc=(0.5, 0.5)))
    answer = azure.analyze(image_data=data, visual_features=[VisualFeatures.SMART_CROPS])
    assert answer.smart_crops is not None
    [crop] = answer.smart_crops.list
    assert 0.5 <= crop.aspect_ratio <= 2
    box = crop.bounding_box
    assert (box.width, box.height) == box_size(one_ratio(f"{crop.aspect_ratio:.6f}"), 1000, 300)


def test_azure_s_client_raises_its_own_errors(azure: ImageAnalysisClient, picture: bytes) -> None:
    crops = [VisualFeatures.SMART_CROPS]
    with pytest.raises(HttpResponseError, match="not a picture") as no_picture:
        azure.analyze(image_data=b"no picture", visual_features=crops)
    assert (no_picture.value.status_code, no_picture.value.error.code) == (400, "InvalidRequest")  # type: ignore[union-attr]
    with pytest.raises(HttpResponseError, match="only smartCrops"):
        azure.analyze(image_data=picture, visual_features=[*crops, VisualFeatures.CAPTION])
    with pytest.raises(HttpResponseError, match=NOT_FETCHED):
        azure.analyze_from_url("https://example.org/a.jpg", visual_features=crops)
    with pytest.raises(HttpResponseError, match="outside"):
        azure.analyze(image_data=picture, visual_features=crops, smart_crops_aspect_ratios=[0.9, 99])


@pytest.mark.parametrize(
    "query",
    ["", "?features=", "?features=caption", "?features=smartCrops,read"]
    + [f"?features=smartCrops&smartcrops-aspect-ratios={v}" for v in ("x", "0", "nan", "1_0", "-1", "1;2", "1," * 20)],
)  # fmt: skip
def test_an_invalid_query_of_azure_s_is_400(api: httpx.Client, picture: bytes, query: str) -> None:
    answer = api.post(AZURE + query, content=picture)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "InvalidRequest")
    assert error["message"] and error["innererror"]["code"] == "bad_parameters"


def test_azure_s_other_parameters_are_accepted(azure: ImageAnalysisClient, picture: bytes) -> None:
    answer = azure.analyze(
        image_data=picture,
        visual_features=[VisualFeatures.SMART_CROPS],
        smart_crops_aspect_ratios=[1],
        language="en",
        gender_neutral_caption=True,
        model_version="latest",
    )
    assert answer.smart_crops is not None and len(answer.smart_crops.list) == 1


def test_parameters_that_azure_does_not_have_are_named(api: httpx.Client, picture: bytes) -> None:
    answer = api.post(f"{AZURE}?features=smartCrops&smartcrop-ratios=1&features=read", content=picture)
    message = answer.json()["error"]["message"]
    assert answer.status_code == 400 and "'smartcrop-ratios' is not" in message and "features" in message


@pytest.mark.parametrize("path", [GOOGLE, f"{AZURE}?features=smartCrops"])
def test_an_invalid_deadline_is_refused_in_the_vendors_form(api: httpx.Client, path: str) -> None:
    answer = api.post(path, content=b"{}", headers={"x-request-timeout": "nan"})
    assert answer.status_code == 400 and "X-Request-Timeout" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", [GOOGLE, AZURE])
def test_errors_have_the_vendors_form(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/json" and answer.json().keys() == {"error"}
    long = api.post(f"{path}?features=smartCrops", content=b" " * 40_000_001)
    assert long.status_code == 400 and "bytes" in long.json()["error"]["message"]


def test_a_picture_in_google_s_json_has_the_same_limit_as_an_upload(api: httpx.Client) -> None:
    content = base64.b64encode(bytes(20_000_001)).decode()
    refused = metric(api, "gazecrop_decode_errors_total", reason="unsupported_picture")
    found = google_post(api, {"features": [{"type": 9}], "image": {"content": content}})
    assert found["error"]["code"] == 3 and "20,000,000" in found["error"]["message"]
    google_post(api, {"features": [{"type": 9}], "image": {"content": "AAAA"}})
    assert metric(api, "gazecrop_decode_errors_total", reason="unsupported_picture") == refused + 1
