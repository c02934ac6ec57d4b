"""Bytes in, picture out: crops and explanations."""

from itertools import product

from tests.helpers.answers import pictures
from tests.helpers.answers.client import Client, form


def rendered(client: Client) -> None:
    files = pictures.files()
    for name, format in product(files, ("jpeg", "webp", "avif", "png")):
        if name != "large.jpg":
            client.ask("POST", f"/v1/crop?ratio=1:1&width=120&format={format}", files[name], note=name)
    data = files["wide.jpg"]
    for query in (
        "ratio=square", "ratio=16:9&width=300", "ratio=16:9&height=100", "width=300&height=200", "ratio=9:16&zoom=2",
        "ratio=1:1&width=2000", "ratio=1:1&width=2000&enlarge=true", "width=1200&height=900&enlarge=true&format=webp",
        "ratio=1:1&quality=1", "ratio=1:1&quality=100&format=webp", "ratio=1:1&quality=30&format=avif",
        "ratio=4:5&policy=centre", "ratio=4:5&policy=point", "ratio=1:1&keep=0.7,0.1,0.2,0.2",
        "ratio=1:1&enlarge=false",
        "ratio=1:1&avoid=0.1,0.1,0.3,0.3", "ratio=1:20", "ratio=20:1",
    ):  # fmt: skip
        client.ask("POST", f"/v1/crop?{query}", data)
    client.ask("POST", "/v1/crop?ratio=16:9&width=600&height=", files["large.jpg"], note="large.jpg")
    client.ask("POST", "/v1/crop?ratio=16:9&width=640", files["large.jpg"], note="large.jpg")
    client.ask("POST", "/v1/crop?ratio=1:1", files["large.jpg"], note="large.jpg")
    for accept in (
        "image/webp,*/*",
        "image/avif,image/webp;q=0.9,*/*;q=0.1",
        "image/*",
        "*/*",
        "image/png",
        "text/html",
        "image/gif",
    ):
        client.ask("POST", "/v1/crop?ratio=1:1&width=90", data, {"Accept": accept})
    client.ask("POST", "/v1/crop?ratio=1:1&width=90", *form(("file", data)), note="form")
    for query in (
        "", "width=10", "ratio=x", "ratio=1:1&width=0", "ratio=1:1&width=9000", "ratio=1:1&width=x",
        "ratio=1:1&height=-1",
        "ratio=1:1&width=10&height=10", "ratio=1:1&format=gif", "ratio=1:1&quality=0", "ratio=1:1&quality=101",
        "ratio=1:1&enlarge=yes", "ratio=1:1&width=8000&enlarge=true", "ratio=1:1&width=4000&format=avif", "ratios=1:1",
        "ratio=1:1&candidates=2", "ratio=1:1&policy=focus",
        "ratio=x&width=x&height=x&format=x&quality=x&enlarge=x&zoom=x",
    ):  # fmt: skip
        client.ask("POST", f"/v1/crop?{query}", data)


def explained(client: Client) -> None:
    files = pictures.files()
    for layers in ("heat", "points", "boxes", "heat,points", "points,boxes", "heat,points,boxes"):
        for name in ("wide.jpg", "exif6.jpg", "rgba.png"):
            target = f"/v1/explain?ratios=1:1,16:9,story&layers={layers}&format=png"
            client.ask("POST", target, files[name], note=name)
    for name in ("large.jpg", "dot.png", "flat.png", "panorama.jpg", "moving.gif"):
        client.ask("POST", "/v1/explain?ratios=1:1", files[name], note=name)
    data = files["tall.jpg"]
    for query in (
        "", "format=jpeg", "format=webp&quality=50", "format=avif", "policy=point&ratios=1:1", "zoom=2&ratios=1:1",
        "keep=0.1,0.1,0.1,0.1&ratios=1:1", "layers=x", "layers=", "format=bmp", "quality=x", "ratios=x", "width=10",
    ):  # fmt: skip
        client.ask("POST", f"/v1/explain?{query}", data)
    client.ask("POST", "/v1/explain", data, {"Accept": "image/webp"})
    client.ask("POST", "/v1/explain", data, {"Accept": "text/plain"})
    client.ask("POST", "/v1/explain", b"x", note="no picture")
