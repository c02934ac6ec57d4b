"""The requests to a server with default settings, in their order; each part of the API has a function."""

import json
from base64 import b64encode

from tests.helpers.answers import pictures
from tests.helpers.answers.client import Client, chunked, form
from tests.helpers.answers.common import CONSTRAINTS, CROPPED, UNKNOWN, header
from tests.helpers.answers.cropping import conditions, crops, maps, matrix
from tests.helpers.answers.drawing import explained, rendered
from tests.helpers.answers.focus import focus
from tests.helpers.answers.recording import Answer
from tests.helpers.answers.vendors import azure, google
from tests.helpers.answers.wrong import framing, parameters, routes


class NotFresh(Exception):
    """The server had a picture of the corpus before the first upload."""


def everything(client: Client) -> None:
    known = uploads(client)
    crops(client, known)
    photographs(client)
    maps(client, known)
    focus(client, known)
    conditions(client, known)
    rendered(client)
    explained(client)
    google(client)
    azure(client)
    reports(client, known)
    static(client)
    parameters(client, known)
    routes(client, known)
    framing(client)
    forget(client, known)
    probes(client)


def upload(client: Client, name: str, data: bytes, query: str = "") -> tuple[str, Answer]:
    """The id, and the answer; from now on the labels say `{name}` for the id."""
    answer = client.ask("POST", f"/v1/images{query}", data, note=name)
    document = json.loads(answer.body)
    if answer.status == 200 and not query:
        raise NotFresh(f"{name} was known already")
    client.names[document["id"]] = f"{{{name}}}"
    client.names[document["version"]] = "{version}"
    return document["id"], answer


def uploads(client: Client) -> dict[str, str]:
    """Ids by name."""
    files = pictures.files()
    known = {name: upload(client, name, data)[0] for name, data in files.items()}
    for name in CROPPED:
        client.ask("GET", f"/v1/images/{known[name]}")
        client.ask("HEAD", f"/v1/images/{known[name]}")
        for query in ("ratios=1:1,16:9", "policy=point&zoom=2", "ratios=3:2&candidates=5", CONSTRAINTS[0]):
            client.ask("GET", f"/v1/images/{known[name]}?{query}")
            client.ask("POST", f"/v1/images?{query}", files[name], note=name)
    data = files["wide.jpg"]
    client.ask("POST", "/v1/images", data, note="again")
    client.ask("POST", "/v1/images", data, {"Content-Type": "application/x-www-form-urlencoded"})
    client.ask("POST", "/v1/images", data, {"X-Request-Id": "mine", "X-Request-Timeout": "30"})
    client.ask("POST", "/v1/images", data, {"Expect": "100-continue"})
    for name in ("wide.jpg", "rgb.png"):
        client.ask("POST", "/v1/images", *form(("file", files[name])), note=f"form {name}")
        client.ask("POST", "/v1/images", *chunked(files[name]), note=f"chunked {name}")
    fresh = pictures.encode(pictures.scene(200, 150, 12))
    client.ask("POST", "/v1/images", *form(("other", b"1"), ("file", fresh)), note="a new one, by form")
    fresh = pictures.encode(pictures.scene(200, 150, 13))
    client.ask("POST", "/v1/images", *chunked(fresh, 100), note="a new one, chunked")
    for name, data in pictures.broken().items():
        client.ask("POST", "/v1/images", data, note=name)
        client.ask("POST", "/v1/crop?ratio=1:1", data, note=name)
    client.ask("POST", "/v1/images", note="empty")
    for note, parts in {"no field": (("x", b"1"),), "two": (("file", b"1"), ("file", b"2"))}.items():
        client.ask("POST", "/v1/images", *form(*parts), note=f"form, {note}")
    client.ask("POST", "/v1/images", *form(*[(f"f{n}", b"") for n in range(70)]), note="form, many")
    client.ask("POST", "/v1/images", b"x", {"Content-Type": "multipart/form-data"})
    client.ask("POST", "/v1/images", b"x", {"Content-Type": "multipart/form-data; boundary=a"})
    for seconds in ("0", "x", "-1", "4000", "1e-9"):
        late = pictures.encode(pictures.scene(200, 150, 14))
        client.ask("POST", "/v1/images", late, {"X-Request-Timeout": seconds})
    return known


def photographs(client: Client) -> None:
    """Those that the page has: the drawn one, and where set-up unpacked them the examples."""
    paths = [f"/drawn/{name}.jpg" for name in ("balloon", "balloon-square", "balloon-explained")]
    paths += [f"/examples/{name}.jpg" for name in ("astronaut", "chelsea", "coffee", "motorcycle", "rocket")]
    client.ask("GET", "/examples/index.json")
    for path in paths:
        found = client.ask("GET", path)
        if found.status == 200:
            id, _ = upload(client, path.rpartition("/")[2], found.body)
            matrix(client, id)
            client.ask("GET", f"/v1/images/{id}/saliency")
            client.ask("POST", "/v1/crop?ratio=4:5&width=400", found.body, note=path)
            client.ask("POST", "/v1/explain?ratios=1:1,16:9", found.body, note=path)


def reports(client: Client, known: dict[str, str]) -> None:
    """At most 60 an hour are taken."""
    files = pictures.files()
    id = known["exif3.jpg"]
    good = {"id": id}
    box = {"x": 0.1, "y": 0.1, "width": 0.2, "height": 0.2}
    contents: tuple[object, ...] = (
        good,
        {"id": id, "kind": "biased", "text": "Not she.", "version": "0123456789", "should_keep": [box]},
        {"id": id, "picture": b64encode(files["exif3.jpg"]).decode()},
        {"id": id, "picture": b64encode(files["exif4.jpg"]).decode()},
        {"id": id, "picture": "%%%"},
        {"id": id, "picture": "aGVsbG8="},
        {},
        {"id": "x"},
        {"id": id, "kind": "other", "more": 1},
        {"id": id, "kind": "bad", "text": "x" * 4001, "should_keep": [{}], "crops": [1]},
        [],
    )
    for content in contents:
        client.ask("POST", "/v1/reports", json.dumps(content).encode(), note=json.dumps(content)[:70])
    client.ask("POST", "/v1/reports", b"{", note="no JSON")
    client.ask("POST", "/v1/reports", *form(("x", b"1")), note="form")
    client.ask("POST", "/v1/reports?x=1", json.dumps(good).encode())
    client.ask("POST", "/v1/reports", headers={"Content-Length": "90000000"})


def static(client: Client) -> None:
    """The page, the reference and what these load."""
    page = client.ask("GET", "/")
    for path in (
        "/docs", "/openapi.json", "/index.html", "/docs.html", "/page.css", "/edit.css", "/icon.svg",
        "/answers.js", "/api.js", "/compare.js", "/crops.js", "/docs.js", "/drawing.js", "/edit.js", "/editor.js",
        "/editor_dialog.js", "/edits.js", "/examples.js", "/export.js", "/gazecrop.js", "/marks.js",
        "/orientation.js", "/page.js", "/preview.js", "/report.js", "/result.js", "/snippets.js", "/state.js",
        "/view.js", "/zip.js", "/vendor/konva.min.js",
        "/swagger/swagger-ui.css", "/swagger/swagger-ui-bundle.js", "/swagger/none.js", "/drawn", "/drawn/",
        "/drawn/none.jpg", "/drawn/../index.html", "/drawn/%2e%2e/index.html", "/none.js", "/favicon.ico",
    ):  # fmt: skip
        client.ask("GET", path)
    for path in ("/", "/docs", "/gazecrop.js", "/drawn/balloon.jpg", "/openapi.json"):
        client.ask("HEAD", path)
        client.ask("GET", path, headers={"Range": "bytes=0-9"})
        client.ask("POST", path)
        client.ask("OPTIONS", path)
    client.ask("GET", "/", headers={"If-None-Match": header(page, "ETag")}, note="If-None-Match, own")
    tag = header(client.ask("GET", "/drawn/balloon.jpg"), "ETag")
    client.ask("GET", "/drawn/balloon.jpg", headers={"If-None-Match": tag}, note="If-None-Match, own")


def forget(client: Client, known: dict[str, str]) -> None:
    for name in ("tall.jpg", "exif3.jpg"):
        client.ask("DELETE", f"/v1/images/{known[name]}")
        client.ask("DELETE", f"/v1/images/{known[name]}", note="again")
        for path in ("", "/crops", "/crops/1:1", "/saliency", "/focus"):
            client.ask("GET", f"/v1/images/{known[name]}{path}")
    client.ask("DELETE", f"/v1/images/{UNKNOWN}")
    client.ask("DELETE", "/v1/images/x")
    client.ask("POST", "/v1/images", pictures.files()["tall.jpg"], note="after it was forgotten")


def probes(client: Client) -> None:
    for path in ("/healthz", "/readyz"):
        client.ask("GET", path)
        client.ask("GET", f"{path}?x=1")
    client.ask("GET", "/metrics")
    client.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
