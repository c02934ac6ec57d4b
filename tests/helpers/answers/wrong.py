"""Parameters, paths, methods and framing that must be refused."""

from tests.helpers.answers import pictures
from tests.helpers.answers.client import Client
from tests.helpers.answers.common import AZURE, GOOGLE, UNKNOWN

WRONG = (  # of the parameters of every crop answer
    "ratios=0:1", "ratios=x", "ratios=21:1", "ratios=1:21", "ratios=" + ",".join(["1:1"] * 17), "ratios=%FF",
    "policy=best", "policy=", "zoom=0.5", "zoom=5", "zoom=x", "zoom=1e0", "candidates=0", "candidates=6",
    "candidates=x", "keep=1", "keep=0,0,2,1", "keep=0,0,0,1", "keep=a,b,c,d", "avoid=0.5,0.5,0.6,0.1", "nonsense=1",
    "zoom=1&zoom=2", "&".join(["keep=0,0,0.1,0.1"] * 17), "&".join(f"a{n}=1" for n in range(65)),
    "ratios=x&policy=x&zoom=x&keep=x&avoid=x&candidates=x&other=x",
)  # fmt: skip


def parameters(client: Client, known: dict[str, str]) -> None:
    """What is wrong with them, and in which order it is noticed."""
    id, data = known["wide.jpg"], pictures.files()["wide.jpg"]
    for query in WRONG:
        for target in (f"/v1/images/{id}", f"/v1/images/{id}/crops", f"/v1/images/{id}/crops/1:1"):
            client.ask("GET", f"{target}?{query}")
        client.ask("GET", f"/v1/images/{UNKNOWN}/crops?{query}")
        client.ask("POST", f"/v1/images?{query}", data)
        client.ask("POST", f"/v1/explain?{query}", data)
        client.ask("POST", f"/v1/crop?{query.replace('ratios', 'ratio')}", data)
    for path in ("", "/crops", "/crops/1:1", "/saliency", "/crops/x", "/crops/1:1/2", "/none"):
        for one in (UNKNOWN, "x", "%00", UNKNOWN.upper()[:31] + "A"):
            client.ask("GET", f"/v1/images/{one}{path}")


def routes(client: Client, known: dict[str, str]) -> None:
    """Methods and paths that are none."""
    id = known["wide.jpg"]
    for path in ("/v1/images", f"/v1/images/{id}", f"/v1/images/{id}/crops", f"/v1/images/{id}/crops/1:1",
                 f"/v1/images/{id}/saliency", f"/v1/images/{id}/focus", "/v1/crop", "/v1/explain", "/v1/reports",
                 GOOGLE, AZURE, "/healthz", "/readyz", "/metrics",
                 "/openapi.json", "/v1/none", "/v2", "//", "/v1/images/"):  # fmt: skip
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "BREW"):
            if (method, path) not in (("GET", "/metrics"), ("DELETE", f"/v1/images/{id}")):
                client.ask(method, path)
    client.ask("DELETE", f"/v1/images/{id}?x=1")
    client.ask(
        "OPTIONS",
        "/v1/images",
        headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"},
    )


def framing(client: Client) -> None:
    """What HTTP/1.1 itself forbids, or limits."""
    picture = pictures.files()["rgb.png"]
    post = "POST /v1/images HTTP/1.1\r\nHost: localhost\r\n"
    for note, head, body in (
        ("no version", "GET /healthz\r\n\r\n", b""),
        ("noise", "\x00\x01\x02\r\n\r\n", b""),
        ("no colon", "GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n", b""),
        ("a long head", f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 40_000}\r\n\r\n", b""),
        ("a long path", f"GET /{'x' * 40_000} HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
        ("two lengths", f"{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", b"ab"),
        ("length and chunks", f"{post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"),
        ("a length of text", f"{post}Content-Length: x\r\n\r\n", b""),
        ("a negative length", f"{post}Content-Length: -1\r\n\r\n", b""),
        ("a bad chunk", f"{post}Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
        ("too long", f"{post}Content-Length: 20000001\r\n\r\n", b""),
        ("far too long", f"{post}Content-Length: 9999999999999999999\r\n\r\n", b""),
        ("another coding", f"{post}Transfer-Encoding: gzip\r\nConnection: close\r\n\r\n", b""),
        ("closed", f"{post}Connection: close\r\nContent-Length: {len(picture)}\r\n\r\n", picture),
        ("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", b""),
        ("an upgrade", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n",
         b""),
        ("two requests", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
         "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b""),
    ):  # fmt: skip
        client.send(head.encode("latin-1") + body, "framing", note)
