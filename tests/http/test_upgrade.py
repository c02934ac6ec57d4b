"""`Connection: Upgrade` is ignored: the body is read, and the connection goes on as HTTP/1.1."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Server, command
from tests.helpers.pictures import jpeg
from tests.helpers.sockets import MB, Running, serving, whole_answer

OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n",
    "websocket": b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
    "tls": b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving() as server:
        yield server


@pytest.fixture(params=OFFERS)
def offer(request: pytest.FixtureRequest) -> bytes:
    return OFFERS[request.param]


def post(offer: bytes, body: bytes, chunked: bool, close: bool = False) -> tuple[bytes, bytes]:
    """Head and body of a request to the app that answers with the length of its body."""
    head = b"POST /read HTTP/1.1\r\nHost: x\r\n" + offer
    if close:
        head = (
            head.replace(b"Connection: ", b"Connection: close, ")
            if offer
            else head + b"Connection: close\r\n"
        )
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n" % len(body), body
    pieces = [body[at : at + 7000] for at in range(0, len(body), 7000)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + b"Transfer-Encoding: chunked\r\n\r\n", framed + b"0\r\n\r\n"


def bodies(answer: bytes) -> list[bytes]:
    found = []
    for part in answer.split(b"HTTP/1.1 ")[1:]:
        assert part.startswith(b"200 "), part[:200]
        found.append(part.partition(b"\r\n\r\n")[2])
    return found


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_is_read(running: Running, offer: bytes, chunked: bool, late: bool) -> None:
    with running.connect() as client:
        for size in (1, 20_000, MB, 0):
            head, body = post(offer, b"POST / HTTP/1.1\r\n\r\n".ljust(size, b"x")[:size], chunked)
            if late:
                client.sendall(head[:-1])
                time.sleep(0.02)
                client.sendall(head[-1:])
                time.sleep(0.02)
                client.sendall(body[: size // 2])
                time.sleep(0.02)
                client.sendall(body[size // 2 :])
            else:
                client.sendall(head + body)
            answer = whole_answer(client)
            assert bodies(answer) == [b"%d" % size], answer[:200]


@pytest.mark.parametrize("chunked", [False, True])
def test_pipelined_requests_are_answered_in_order(running: Running, offer: bytes, chunked: bool) -> None:
    """Before, between and behind requests without an offer, in one write and in two-byte writes."""
    requests = [
        post(sent, b"GET /\r\n\r\n"[:size].ljust(size, b"x"), chunked, close=size == 5)
        for size, sent in ((1, b""), (200, offer), (3, offer), (4000, b""), (0, offer), (5, offer))
    ]
    whole = b"".join(head + body for head, body in requests)
    expected = [b"1", b"200", b"3", b"4000", b"0", b"5"]
    assert bodies(running.ask(whole)) == expected
    assert bodies(running.ask(*(whole[at : at + 2] for at in range(0, len(whole), 2)))) == expected


def test_a_request_without_a_body_is_answered_at_once(running: Running, offer: bytes) -> None:
    with running.connect() as client:
        for _ in range(2):
            client.sendall(b"GET /read HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n")
            assert bodies(whole_answer(client)) == [b"0"]


def test_limits_apply_behind_an_offer(running: Running, offer: bytes) -> None:
    head, body = post(offer, b"x" * (MB + 1), chunked=True, close=True)
    assert running.ask(head + body).startswith(b"HTTP/1.1 413 ")
    head, _ = post(offer, b"", chunked=True)
    assert running.ask(head + b"zz\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert running.ask(head + b"0\r\nX: " + b"x" * MB).startswith(b"HTTP/1.1 431 ")


JAVA = """
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

class Upload {
    public static void main(String[] arguments) throws Exception {
        byte[] picture = Files.readAllBytes(Path.of(arguments[1]));
        HttpClient client = HttpClient.newHttpClient();  // HTTP/2, so that it offers h2c with its first request
        for (int again = 0; again < 2; again++) {
            send(client, arguments[0], HttpRequest.BodyPublishers.ofByteArray(picture));
            send(client, arguments[0], HttpRequest.BodyPublishers.ofInputStream(
                () -> new ByteArrayInputStream(picture)));
        }
    }

    static void send(HttpClient client, String url, HttpRequest.BodyPublisher body) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).POST(body).build();
        HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(response.statusCode() + " " + response.version() + " " + response.body());
    }
}
"""


@pytest.mark.long
def test_java_s_http_client_uploads_a_picture(server: Server, tmp_path: Path) -> None:
    java = command("java")
    source, picture = tmp_path / "Upload.java", tmp_path / "picture.jpg"
    source.write_text(JAVA)
    picture.write_bytes(jpeg(2000, 1500, seed=720))
    line = [java, str(source), f"{server.url}/v1/images?ratios=1:1", str(picture)]
    out = subprocess.run(line, capture_output=True, text=True, timeout=120)
    lines = out.stdout.splitlines()
    assert [one[:12] for one in lines] == ["201 HTTP_1_1"] + ["200 HTTP_1_1"] * 3, out
    assert all('"crops":[{"ratio":"1:1"' in one for one in lines)


def test_curl_offers_http_2_with_an_upload(running: Running, tmp_path: Path) -> None:
    curl = command("curl")
    (tmp_path / "body").write_bytes(bytes(300_000))
    line = [curl, "-sS", "--http2", "--max-time", "20", "--data-binary", f"@{tmp_path / 'body'}"]
    for more in ([], ["-H", "Transfer-Encoding: chunked"]):
        out = subprocess.run(
            [*line, *more, f"http://127.0.0.1:{running.port}/read"], capture_output=True, timeout=30
        )
        assert (out.returncode, out.stdout) == (0, b"300000"), out
