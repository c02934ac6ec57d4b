"""Every documented error with its status, type and members. Never a 500, whatever is sent."""

import base64
import contextlib
import gzip
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.conftest import Server, serving
from tests.helpers.contract import answer_of, begin_upload, client, place_of, problem, wrong
from tests.helpers.pictures import draw, encode, jpeg

UPLOADS = ("/v1/images", "/v1/crop?ratio=1:1", "/v1/explain")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that accepts 100 kB within a second, and two other origins."""
    settings = {
        "GAZECROP_MAX_BYTES": "100000",
        "GAZECROP_BODY_SECONDS": "1",
        "GAZECROP_MAX_MEGAPIXELS_JPEG": "0.1",
        "GAZECROP_CORS_ORIGINS": "https://a.example, https://b.example",
        "GAZECROP_CACHE_CONTROL": "public, max-age=60",
    }
    with serving(tmp_path_factory.mktemp("small"), settings) as running, client(running.url) as api:
        yield api


def test_404(api: httpx.Client) -> None:
    for path in (
        "/nothing",
        "/v1",
        "/v1/images/a/b",
        "/v1/images/",
        "/docs/",
        "/examples",
        "/%00",
        "/v1/images/x/crops/1/2",
    ):
        document = problem(api.get(path), 404, "not_found")
        assert "/docs" in document["detail"]
    for path in ("", "/crops", "/crops/1:1", "/saliency"):
        problem(api.get(f"/v1/images/{'0' * 32}{path}"), 404, "image_not_found")


def test_a_404_is_not_cached(api: httpx.Client) -> None:
    """The picture may be uploaded in the next second."""
    assert api.get(f"/v1/images/{'0' * 32}").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/images", "POST"), (f"/v1/images/{'0' * 32}", "DELETE, GET, HEAD"), ("/v1/images/x/crops", "GET, HEAD"),
        ("/v1/images/x/crops/1:1", "GET, HEAD"), ("/v1/images/x/saliency", "GET, HEAD"), ("/v1/crop", "POST"),
        ("/v1/images/x/focus", "DELETE, GET, HEAD, PUT"), ("/v1/explain", "POST"), ("/healthz", "GET, HEAD"),
        ("/readyz", "GET, HEAD"), ("/metrics", "GET, HEAD"), ("/", "GET, HEAD"), ("/docs", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"), ("/page.js", "GET, HEAD"), ("/swagger/swagger-ui.css", "GET, HEAD"),
    ],
)  # fmt: skip
def test_405_names_what_is_allowed(api: httpx.Client, path: str, allowed: str) -> None:
    for method in {"PATCH", "OPTIONS", "POST", "PUT", "DELETE", "GET", "HEAD"} - set(allowed.split(", ")):
        answer = api.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), method
        if method != "HEAD":
            detail = problem(answer, 405, "method_not_allowed")["detail"]
            assert detail == f"Allowed methods: {allowed}."  # also for HEAD, which is routed as GET


def test_408_a_slow_body(small: httpx.Client) -> None:
    began = time.monotonic()
    answer = answer_of(begin_upload(str(small.base_url).rstrip("/"), b"x" * 5000, sent=10))
    document = problem(answer, 408, "body_too_slow")
    assert document["limit"] == 1 and document["received"] == 10
    assert answer.headers["connection"] == "close" and time.monotonic() - began >= 1


@pytest.mark.parametrize("path", UPLOADS)
def test_413_by_content_length_and_by_chunks(small: httpx.Client, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 5000

    for body in (b"x" * 100_001, chunks()):
        answer = small.post(path, content=body)
        document = problem(answer, 413, "body_too_large")
        assert document["limit"] == 100_000 and answer.headers["connection"] == "close"
        assert document.get("received", 100_001) == 100_001
    form = small.post(path, files={"file": b"x" * 100_001})
    assert problem(form, 413, "body_too_large")["limit"] == 100_000


def test_413_is_sent_before_the_body_is_read(server: Server) -> None:
    answer = answer_of(begin_upload(server.url, bytes(20_000_001), sent=0))
    assert problem(answer, 413, "body_too_large")["received"] == 20_000_001


def png_header(width: int, height: int) -> bytes:
    """A PNG with a size in its header and no pixels."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", ihdr), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("path", UPLOADS)
def test_413_too_many_pixels_by_the_header_alone(api: httpx.Client, small: httpx.Client, path: str) -> None:
    for size in ((6000, 6000), (65535, 65535)):
        document = problem(api.post(path, content=png_header(*size)), 413, "too_many_pixels")
        assert document["limit"] == 30_000_000 and document["received"] == size[0] * size[1]
    document = problem(small.post(path, content=jpeg(500, 400)), 413, "too_many_pixels")
    assert (document["limit"], document["received"]) == (100_000, 200_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"GIF",
        b"%PDF-1.7\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0" * 100,
        b"P6 1 1 255\n...",
        b"\xff\xd8",
    ]
    + [
        b"%!PS-Adobe-3.0 EPSF",
        b"SIMPLE  =                    T",
        b"8BPS\0\x01",
        b"PK\x03\x04",
        b'{"url": "https://e.org"}',
    ],
)
def test_415_formats_that_are_not_read(api: httpx.Client, data: bytes) -> None:
    """PostScript, FITS, Photoshop: Pillow would open them."""
    answer = api.post("/v1/images", content=data, headers={"content-type": "image/jpeg"})
    assert "JPEG" in problem(answer, 415, "unsupported_picture")["detail"]


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data)


MISTAKES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": ("empty", lambda data: b""),
    "data URL": ("data: URL", lambda data: b"data:image/jpeg;base64," + _base64(data)),
    "data URL in JSON": ("data: URL", lambda data: b'"DATA:image/png;base64,' + _base64(data) + b'"'),
    "base64": ("base64", _base64),
    "base64 in JSON": ("base64", lambda data: b' "' + _base64(data) + b'"'),
    "base64 in lines": ("base64", lambda data: b"\n" + base64.encodebytes(data)),
    "base64url": ("base64", lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")),
    "gzip": ("gzip", gzip.compress),
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_415_names_a_common_mistake_and_its_fix(api: httpx.Client, mistake: str, format: str) -> None:
    words, change = MISTAKES[mistake]
    sent = change(encode(draw(60, 40), format))
    details = set()
    for path in UPLOADS:
        for body in ({"content": sent}, {"files": {"file": ("a.jpg", sent)}}):
            document = problem(api.post(path, **body), 415, "unsupported_picture")
            assert words in document["detail"] and document["fix"]
            details.add(document["detail"])
    assert len(details) == 1
    one = {"image": {"content": base64.b64encode(sent).decode()}, "features": [{"type": "CROP_HINTS"}]}
    if sent:
        [answer] = api.post("/v1/images:annotate", json={"requests": [one]}).json()["responses"]
        assert answer["error"]["message"] in details


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "base64", "gzip, identity", "GZIP"])
def test_415_a_compressed_body(api: httpx.Client, picture: bytes, coding: str) -> None:
    focus = f"/v1/images/{'0' * 32}/focus"
    for method, path in (*(("POST", path) for path in UPLOADS), ("POST", "/v1/reports"), ("PUT", focus)):
        answer = api.request(method, path, content=picture, headers={"content-encoding": coding})
        document = problem(answer, 415, "unsupported_encoding")
        assert document["received"] == coding.strip() and "Content-Encoding" in document["fix"]
        assert answer.headers["accept-encoding"] == "identity" and answer.headers["connection"] == "close"
    for path in ("/v1/images:annotate", "/computervision/imageanalysis:analyze?features=smartCrops"):
        answer = api.post(path, content=picture, headers={"content-encoding": coding})
        assert answer.status_code == 400 and "Content-Encoding" in answer.json()["error"]["message"]
    plain = api.post("/v1/images", content=picture, headers={"content-encoding": "Identity"})
    assert plain.status_code in (200, 201)


def test_415_names_the_extra_for_heic(api: httpx.Client) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200
    answer = api.post("/v1/images", content=heic)
    assert answer.status_code in (415, 422)  # 422 where the extra is installed: this one is corrupt
    if answer.status_code == 415:
        assert "[heic]" in problem(answer, 415, "unsupported_picture")["detail"]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"])
def test_422_truncated_and_garbled_pictures(api: httpx.Client, format: str) -> None:
    data = encode(draw(300, 200), format)
    for cut in (20, len(data) // 3, len(data) // 2):
        answer = api.post("/v1/images", content=data[:cut])
        assert problem(answer, 422, "picture_unreadable")["detail"]
    garbled = data[:40] + bytes(255 - byte for byte in data[40:])
    answer = api.post("/v1/images", content=garbled)
    assert answer.status_code in (201, 413, 422)  # some bytes are pixels whatever they are


def test_422_names_every_wrong_parameter_of_an_upload(api: httpx.Client) -> None:
    query = "ratios=16:9,nonsense,0:1&policy=best&zoom=0&keep=2,2,2,2&avoid=x&candidates=9&size=3"
    answer = api.post(f"/v1/images?{query}", content=b"unread", headers={"X-Request-Timeout": "-1"})
    expected = "ratios ratios policy zoom keep avoid candidates size X-Request-Timeout"
    assert sorted(wrong(answer)) == sorted(expected.split())
    document = answer.json()
    assert all(one["detail"] for one in document["errors"]) and document["detail"]
    received = {one["parameter"]: one.get("received") for one in document["errors"]}
    assert received["policy"] == "best" and received["zoom"] == "0"


def test_422_a_parameter_where_none_is_read(api: httpx.Client, picture: bytes) -> None:
    place = place_of(api.post("/v1/images", content=picture))
    focus = f"{place}/focus"
    assert api.put(focus, json={"x": 0.5, "y": 0.5}).status_code == 201
    for method, path in (
        ("GET", focus),
        ("PUT", focus),
        ("DELETE", focus),
        ("DELETE", place),
        ("POST", "/v1/reports"),
    ):
        assert wrong(api.request(method, f"{path}?v=1&force=true")) == ["v", "force"]
    assert api.get(focus).status_code == 200  # nothing was done
    assert api.delete(focus).status_code == 204


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "3601", "1_0", "", "x", "0x1", "1e3", "٣"])
def test_422_an_invalid_deadline(api: httpx.Client, picture: bytes, value: str) -> None:
    for path in UPLOADS:
        answer = api.post(path, content=picture, headers={b"x-request-timeout": value.encode()})
        assert wrong(answer) == ["X-Request-Timeout"]


@pytest.mark.parametrize("value", ["5", "0.5", "3600", "1e-9", "0.000001"])
def test_a_deadline_applies_only_to_work(api: httpx.Client, picture: bytes, value: str) -> None:
    api.post("/v1/images", content=picture)
    assert api.post("/v1/images", content=picture, headers={"x-request-timeout": value}).status_code == 200


def test_504_when_the_deadline_has_passed(api: httpx.Client) -> None:
    for path in UPLOADS:
        answer = api.post(path, content=jpeg(seed=600), headers={"x-request-timeout": "0.000001"})
        problem(answer, 504, "deadline_passed")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"abc"),
        ("multipart/form-data; boundary=", b"abc"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n',
        ),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nb'),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 10_000),
        ("multipart/form-data; boundary=" + "x" * 300, b"abc"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n" * 100),
    ],
)
def test_422_a_form_without_the_file(api: httpx.Client, content_type: str, body: bytes) -> None:
    assert wrong(api.post("/v1/images", content=body, headers={"content-type": content_type})) == ["file"]


def exchange(server: Server, request: bytes) -> bytes:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/images/\xff\xfe HTTP/1.1", b"GET /v1/images/x/crops?ratios=\xff HTTP/1.1", b"GET * HTTP/1.1",
        b"GET //v1/images/x HTTP/1.1", b"GET /v1/../healthz HTTP/1.1", b"GET http://a@b/v1/images/x HTTP/1.1",
        b"GET /v1/images/%e2%82/crops/%2e%2e%2f HTTP/1.1", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
        b"GET /examples/%2e%2e/%2e%2e/app.py HTTP/1.1", b"GET /examples/..%5c..%5capp.py HTTP/1.1",
        b"GET /swagger//etc/passwd HTTP/1.1", b"GET /v1/images/x/crops/1:1?a[]=1&;=%u1234&%zz HTTP/1.1",
        b"OPTIONS * HTTP/1.1", b"PROPFIND / HTTP/1.1",
        b"TRACE /v1/images HTTP/1.1", b"BREW /coffee HTTP/1.1",
        b"GET /healthz HTTP/1.0", b"GET /healthz HTTP/9.9", b"GET /healthz",
        b"POST /v1/images HTTP/1.1\r\nContent-Length: -1",
        b"POST /v1/images HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
        b"POST /v1/images HTTP/1.1\r\nExpect: magic",
        b"POST /v1/images HTTP/1.1\r\nTransfer-Encoding: gzip", b"POST /v1/images HTTP/1.1\r\nContent-Encoding: br",
        b"GET /v1/images/x/saliency HTTP/1.1\r\nAccept: \xff;q=\xff,,;;,image/*;q=1e999",
        b"GET /v1/images/x/focus HTTP/1.1\r\nIf-None-Match: \xff, W/, \"",
        b"DELETE /v1/images/x/focus HTTP/1.1\r\nIf-Match: \xff",
        b"GET /page.js HTTP/1.1\r\nRange: bytes=abc", b"GET /page.js HTTP/1.1\r\nRange: bytes=99999999-",
        b"GET /examples/index.json HTTP/1.1\r\nRange: bytes=5-1\r\nIf-Modified-Since: never",
        b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=x",
        b"GET /docs HTTP/1.1\r\nCookie: \xff",
    ],
)  # fmt: skip
def test_never_a_500(server: Server, line: bytes) -> None:
    """The HTTP parser refuses in plain text; every other error is a problem document."""
    answer = exchange(server, line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert 200 <= status < 500, answer[:500]
    if status >= 400:
        kind = b"text/plain" if status == 400 else b"application/problem+json"
        assert b"content-type: " + kind in head and body, answer[:500]
    assert b"root:" not in body  # of /etc/passwd
    if b"/page.js" not in line:  # which begins with imports, as app.py does
        assert b"import" not in body[:200]


def test_no_redirect_uses_the_host_of_the_client(server: Server) -> None:
    answer = exchange(server, b"GET /v1/images/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404") and b"evil.example" not in answer


def test_cors_allows_the_configured_origins(small: httpx.Client, api: httpx.Client) -> None:
    ours = {"origin": "https://b.example"}
    preflight_headers = ours | {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization, if-match",
    }
    preflight = small.options("/v1/images/x/focus", headers=preflight_headers)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://b.example"
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    for answer in (
        small.post("/v1/images", content=encode(draw(200, 100)), headers=ours),
        small.get("/v1/images/x", headers=ours),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://b.example"
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert {"etag", "location", "x-request-id", "x-degraded", "retry-after"} <= set(exposed.split(", "))
    strange = {"origin": "https://evil.example"}
    assert "access-control-allow-origin" not in small.get("/v1/images/x", headers=strange).headers
    refused = small.options("/v1/images/x/focus", headers=preflight_headers | strange)
    assert "origin" in problem(refused, 400, "cross_origin")["detail"]
    assert "access-control-allow-origin" not in refused.headers and "Origin" in refused.headers["vary"]
    unheard = small.options("/v1/images", headers=ours | {"access-control-request-method": "BREW"})
    assert "method" in problem(unheard, 400, "cross_origin")["detail"]
    closed = api.get("/healthz", headers=ours)
    assert not [name for name in closed.headers if name.startswith("access-control")]


def test_the_cache_setting_is_used(small: httpx.Client) -> None:
    document = small.post("/v1/images", content=encode(draw(200, 100))).json()
    place = f"/v1/images/{document['id']}"
    for path in ("", "/crops/1:1", "/saliency"):
        assert small.get(place + path).headers["cache-control"] == "public, max-age=60"
