"""Boxes and maps of pictures that are known, and answers from a cache."""

import json
from itertools import product

from tests.helpers.answers.client import Client
from tests.helpers.answers.common import CONSTRAINTS, CROPPED, POLICIES, RATIOS, header


def crops(client: Client, known: dict[str, str]) -> None:
    for name in CROPPED:
        matrix(client, known[name])
    for ratio in [*RATIOS.split(","), "1", "0.5", "1:2:3", "%31:1", "21:1", "x", "1:1/"]:
        for query in ("", "?policy=point", "?zoom=1.37&candidates=4", "?keep=0.1,0.5,0.2,0.2"):
            client.ask("GET", f"/v1/images/{known['wide.jpg']}/crops/{ratio}{query}")
    client.ask("HEAD", f"/v1/images/{known['wide.jpg']}/crops/1:1")
    client.ask("HEAD", f"/v1/images/{known['wide.jpg']}/crops?ratios=1:1")
    client.ask("GET", f"/v1/images/{known['wide.jpg']}/crops?ratios=1:1", note="again")
    for name, id in known.items():
        client.ask("GET", f"/v1/images/{id}/crops?ratios=4:5,16:9", note=name)


def matrix(client: Client, id: str) -> None:
    """Every policy with every zoom, and what must be inside or outside."""
    client.ask("GET", f"/v1/images/{id}/crops")
    for policy, zoom, most in product(POLICIES, ("1", "1.5", "4"), ("1", "3")):
        query = f"ratios={RATIOS}&policy={policy}&zoom={zoom}&candidates={most}"
        client.ask("GET", f"/v1/images/{id}/crops?{query}")
    for constraint in CONSTRAINTS:
        client.ask("GET", f"/v1/images/{id}/crops?ratios=1:1,16:9,9:16,3:1&{constraint}")


def maps(client: Client, known: dict[str, str]) -> None:
    for name in CROPPED:
        client.ask("GET", f"/v1/images/{known[name]}/saliency")
        client.ask("GET", f"/v1/images/{known[name]}/saliency", headers={"Accept": "image/png"})
    target = f"/v1/images/{known['tall.jpg']}/saliency"
    for accept in (
        "*/*",
        "image/*",
        "image/png;q=0.5, application/json;q=0.4",
        "application/json, image/png;q=0.9",
        "image/png;q=x",
        "text/html",
        "image/webp",
        "application/json;q=0, image/png;q=0",
    ):
        client.ask("GET", target, headers={"Accept": accept})
    client.ask("HEAD", target, headers={"Accept": "image/png"})
    client.ask("GET", f"{target}?ratios=1:1")


def conditions(client: Client, known: dict[str, str]) -> None:
    id = known["wide.jpg"]
    version = json.loads(client.ask("GET", f"/v1/images/{id}").body)["version"]
    client.names[version] = "{version}"
    for target in (f"/v1/images/{id}", f"/v1/images/{id}/crops", f"/v1/images/{id}/saliency"):
        tag = header(client.ask("GET", target), "ETag")
        for note, condition in {
            "own": tag,
            "weak": f"W/{tag}",
            "any": "*",
            "listed": f'"x", {tag}',
            "other": '"x"',
        }.items():
            for method in ("GET", "HEAD"):
                client.ask(
                    method, target, headers={"If-None-Match": condition}, note=f"If-None-Match, {note}"
                )
        for v in (version, "0123456789", ""):
            client.ask("GET", f"{target}?v={v}")
        client.ask("GET", f"{target}?v={version}", headers={"If-None-Match": "*"})
    client.ask("GET", f"/v1/images/{id}/crops/1:1?v={version}")
    client.ask("GET", f"/v1/images/{id}/crops/1:1?v={version}", headers={"If-None-Match": "*"})
