"""A person's focal point and its conditions."""

import json

from tests.helpers.answers import pictures
from tests.helpers.answers.client import Client, form
from tests.helpers.answers.common import CONSTRAINTS, RATIOS, UNKNOWN, header
from tests.helpers.answers.recording import Answer


def focus(client: Client, known: dict[str, str]) -> None:
    id = known["tall.jpg"]
    target = f"/v1/images/{id}/focus"

    def ask(method: str, path: str, content: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = b"" if content is None else json.dumps(content).encode()
        shown = "" if content is None else json.dumps(content)[:80]
        note = "; ".join(filter(None, (shown, *(f"{n}: {v}" for n, v in named.items()))))
        return client.ask(method, path, body, named, note=note, random=True)

    ask("GET", target)
    ask("DELETE", target)
    ask("PUT", target, {"x": 0.1, "y": 0.1}, If_Match="*")
    ask("PUT", target, {"x": 0.1, "y": 0.1}, If_Match='"focus-1"')
    first = header(ask("PUT", target, {"x": 0.2, "y": 0.85}), "ETag")
    client.names[first] = "{first}"  # random, so that the labels say this
    ask("GET", target)
    ask("HEAD", target)
    ask("GET", target, If_None_Match=first)
    ask("GET", target, If_None_Match='"other"')
    for policy in ("", "&policy=auto", "&policy=focus", "&policy=window", "&policy=point&zoom=2"):
        ask("GET", f"/v1/images/{id}?ratios=1:1,16:9,9:16{policy}")
        ask("GET", f"/v1/images/{id}/crops?ratios={RATIOS}{policy}")
        ask("GET", f"/v1/images/{id}/crops/1:1?zoom=1.5{policy}")
    for constraint in CONSTRAINTS:
        ask("GET", f"/v1/images/{id}/crops?ratios=1:1,2:1&{constraint}")
    data = pictures.files()["tall.jpg"]
    client.ask("POST", "/v1/images?ratios=1:1", data, note="with a focus", random=True)
    client.ask("POST", "/v1/crop?ratio=1:1", data, note="with a focus", random=True)
    ask("PUT", target, {"x": 0.5, "y": 0.5}, If_None_Match="*")
    ask("PUT", target, {"x": 0.5, "y": 0.5}, If_Match='"focus-1"')
    ask("PUT", target, {"x": 0.5, "y": 0.5}, If_Match=f"W/{first}")
    second = header(ask("PUT", target, {"x": 1, "y": 0}, If_Match=first), "ETag")
    client.names[second] = "{second}"
    ask("PUT", target, {"x": 0.5, "y": 0.5}, If_Match=first)
    ask("GET", target, If_None_Match=first)
    ask("GET", f"/v1/images/{id}/crops/1:1")
    ask("DELETE", target, If_Match=first)
    ask("DELETE", target, If_Match=second)
    ask("GET", target)
    ask("PUT", target, {"x": 0.4, "y": 0.4}, If_None_Match="*")
    ask("DELETE", target)
    for content in ({}, {"x": 1}, {"x": 2, "y": 0}, {"x": "1", "y": True}, {"x": 1, "y": 1, "z": 1}, [1], 3):
        ask("PUT", target, content)
    client.ask("PUT", target, b"{", note="no JSON")
    client.ask("PUT", target, note="empty")
    client.ask("PUT", target, b" " * 5000, note="long")
    client.ask("PUT", target, *form(("x", b"1")), note="form")
    ask("PUT", f"{target}?x=1", {"x": 0.5, "y": 0.5})
    ask("GET", f"{target}?profile=story")
    ask("PUT", f"/v1/images/{UNKNOWN}/focus", {"x": 0.5, "y": 0.5})
    ask("GET", f"/v1/images/{UNKNOWN}/focus")
    ask("DELETE", f"/v1/images/{UNKNOWN}/focus")
    ask("GET", f"/v1/images/{known['wide.jpg']}/crops/1:1?policy=focus")
