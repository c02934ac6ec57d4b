"""The two vendors' interfaces, used rightly and wrongly."""

import json
from base64 import b64encode

from tests.helpers.answers import pictures
from tests.helpers.answers.client import Client, form
from tests.helpers.answers.common import AZURE, GOOGLE


def google(client: Client) -> None:
    files = pictures.files()
    content = b64encode(files["wide.jpg"]).decode()
    hints = [{"type": "CROP_HINTS"}]

    def ask(note: str, *requests: object) -> None:
        client.ask("POST", GOOGLE, json.dumps({"requests": list(requests)}).encode(), note=note)

    plain = {"image": {"content": content}, "features": hints}
    ask("plain", plain)
    for name in ("tall.jpg", "exif6.jpg", "flat.png", "moving.gif"):
        ask(name, {"image": {"content": b64encode(files[name]).decode()}, "features": hints})
    ask("new", {**plain, "image": {"content": b64encode(pictures.oriented(5)[:-2] + b"\xff\xd9").decode()}})
    for ratios in ([1, 1.7778, 0.5], [0], ["1"], [21], [1] * 17, "x", [None], []):
        for names in (("imageContext", "cropHintsParams", "aspectRatios"),
                      ("image_context", "crop_hints_params", "aspect_ratios")):  # fmt: skip
            ask(f"{names[0]} {ratios}"[:90], {**plain, names[0]: {names[1]: {names[2]: ratios}}})
    ask("by number", {**plain, "features": [{"type": 9}]})
    ask("another feature", {**plain, "features": [{"type": "FACE_DETECTION"}]})
    ask("one more feature", {**plain, "features": [*hints, {"type": "LABEL_DETECTION"}]})
    ask("no features", {"image": plain["image"]})
    ask("no image", {"features": hints})
    ask("an address", {**plain, "image": {"source": {"imageUri": "http://localhost/x.jpg"}}})
    ask("no base64", {**plain, "image": {"content": "%%%"}})
    ask("no picture", {**plain, "image": {"content": "aGVsbG8="}})
    ask(
        "URL alphabet",
        {**plain, "image": {"content": content.replace("+", "-").replace("/", "_").rstrip("=")}},
    )
    ask("several", plain, 1, {**plain, "features": []}, plain)
    ask("17", *[plain] * 17)
    ask("none")
    for body in (b"", b"{", b"[]", b"{}", b'{"requests": 1}'):
        client.ask("POST", GOOGLE, body, note=repr(body))
    client.ask("POST", GOOGLE, b"{}", {"X-Request-Timeout": "x"})
    client.ask("POST", f"{GOOGLE}?key=x", b"{}")
    client.ask("POST", GOOGLE, *form(("x", b"1")), note="form")
    client.ask("GET", GOOGLE)
    client.ask("POST", GOOGLE, headers={"Content-Length": "50000000"})


def azure(client: Client) -> None:
    files = pictures.files()
    data = files["wide.jpg"]
    target = f"{AZURE}?features=smartCrops&api-version=2024-02-01"
    for name in ("wide.jpg", "tall.jpg", "exif6.jpg", "flat.png", "picture.webp"):
        client.ask("POST", target, files[name], note=name)
    for ratios in ("0.9,1.33", "1", "0.05,20", "21", "x", "0", "-1", ",".join(["1"] * 17), "", ","):
        client.ask("POST", f"{target}&smartcrops-aspect-ratios={ratios}", data)
    for query in ("", "features=caption", "features=smartCrops,read", "features=SMARTCROPS", "features=smartCrops&x=1",
                  "features=smartCrops&language=en&model-version=latest&gender-neutral-caption=true"):  # fmt: skip
        client.ask("POST", f"{AZURE}?{query}", data)
    client.ask("POST", target, b'{"url": "http://localhost/x.jpg"}', {"Content-Type": "application/json"})
    client.ask("POST", target, b"hello", note="no picture")
    client.ask("POST", target, note="empty")
    client.ask("POST", target, data, {"X-Request-Timeout": "x"})
    client.ask("POST", target, headers={"Content-Length": "50000000"})
    client.ask("GET", target)
