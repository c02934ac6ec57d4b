"""Fetching from real servers, hostile ones too, with a hostile resolver. Loopback stands for the internet: one address
of it is allowed, and a server at another one must never be connected to."""

import asyncio
import gzip
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gazecrop.errors import BodyTooLarge, GazecropError, SourceFailed, SourceNotAllowed, SourceTooSlow
from gazecrop.sources import fetch
from gazecrop.sources.fetch import Sources
from tests.conftest import command
from tests.helpers.origins import Answer, HostileDns, Origin, head, origin, redirect, whole

PICTURE = bytes(range(256)) * 40
PUBLIC, INTERNAL = "127.0.0.2", "127.0.0.1"
Dns = Callable[..., HostileDns]


@pytest.fixture
def public() -> Iterator[Origin]:
    with origin({b"/a.jpg": whole(PICTURE)}, PUBLIC) as running:
        yield running


@pytest.fixture
def internal() -> Iterator[Origin]:
    """At the end of each test: nothing came to it."""
    with origin({b"": whole(b"secret")}, INTERNAL) as running:
        yield running
        assert running.connections == 0


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Dns:
    return lambda *answers: HostileDns(monkeypatch, *answers)


async def get(
    server: Origin, path: str = "/a.jpg", *, host: str = "bucket.example", **options: object
) -> bytes:
    limits = {"private": [f"{PUBLIC}/32"], "max_bytes": 20_000, "seconds": 5.0} | options
    async with Sources([f"http://{host}:{server.port}/"], **limits) as sources:  # type: ignore[arg-type]
        return await sources.fetch(f"http://{host}:{server.port}{path}")


async def test_a_picture_is_fetched_without_credentials(
    public: Origin, dns: Dns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine bucket.example login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    asked = dns([PUBLIC])
    assert await get(public, "/a.jpg#top") == PICTURE
    assert asked.asked == ["bucket.example"]
    [request] = public.requests
    lines = request.decode().lower().splitlines()
    assert lines[0] == "get /a.jpg http/1.1" and f"host: bucket.example:{public.port}" in lines
    names = {line.partition(":")[0] for line in lines[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "user-agent"}
    assert "accept-encoding: identity" in lines


async def test_the_name_is_resolved_once_and_its_answer_used(
    public: Origin, internal: Origin, dns: Dns
) -> None:
    """Rebinding: the first answer is allowed, the second is not. A second look-up would connect to that."""
    internal.port = public.port
    asked = dns([PUBLIC], [INTERNAL])
    async with Sources([f"http://bucket.example:{public.port}/"], private=[f"{PUBLIC}/32"]) as sources:
        url = f"http://bucket.example:{public.port}/a.jpg"
        assert await sources.fetch(url) == PICTURE
        assert len(asked.asked) == 1
        with pytest.raises(
            SourceNotAllowed
        ):  # the connection was closed, and the next look-up is checked anew
            await sources.fetch(url)
    assert public.connections == 1


@pytest.mark.parametrize(
    "answers",
    [[INTERNAL], [PUBLIC, INTERNAL], [INTERNAL, PUBLIC], [PUBLIC, "169.254.169.254"], [PUBLIC, "::ffff:127.0.0.2"]]
    + [["::1"], ["0.0.0.0"], ["::"], ["fe80::1%1"], [PUBLIC, "64:ff9b::7f00:1"], [PUBLIC, "10.0.0.1"]],
)  # fmt: skip
async def test_any_wrong_answer_refuses_the_host(
    public: Origin, internal: Origin, dns: Dns, answers: list[str]
) -> None:
    dns(answers)
    with pytest.raises(SourceNotAllowed) as error:
        await get(public)
    assert public.connections == 0
    assert (
        not any(address in error.value.detail for address in answers)
        and answers[-1] in str(error.value) + answers[-1]
    )


async def test_the_next_address_is_tried(public: Origin, dns: Dns) -> None:
    dns(["127.0.0.3", PUBLIC])
    assert await get(public, private=["127.0.0.2/31"]) == PICTURE


async def test_a_host_without_an_address(public: Origin, dns: Dns) -> None:
    dns(socket.gaierror(-2, "Name or service not known"))
    with pytest.raises(SourceFailed, match="cannot be resolved"):
        await get(public)


SPELLINGS = [
    "http://127.0.0.1:{port}/", "http://127.0.0.1.:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/",
    "http://0x7f000001:{port}/", "http://0x7f.0.0.1:{port}/", "http://0177.0.0.1:{port}/", "http://017700000001:{port}/",
    "http://127.0.0.1.nip.example:{port}/", "http://localhost:{port}/", "http://LOCALHOST.:{port}/", "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/", "http://[::127.0.0.1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/", "http://[64:ff9b::127.0.0.1]:{port}/", "http://[2002:7f00:1::]:{port}/",
    "http://0:{port}/", "http://0.0.0.0:{port}/", "http://[::]:{port}/", "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/", "//127.0.0.1:{port}/", "\\\\127.0.0.1:{port}\\", "http:\\\\127.0.0.1:{port}\\",
    "http://bucket.example@127.0.0.1:{port}/", "http://127.0.0.1:{port}#@bucket.example/", "http://127.0.0.1:{port}?@bucket.example/",
    "http://bucket.example:x@127.0.0.1:{port}/", "http://bucket.example\t@127.0.0.1:{port}/", "ht\ttp://127.0.0.1:{port}/",
    "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
    "http://169.254.43518/", "http://[::ffff:a9fe:a9fe]/", "http://[fe80::1]/", "http://[fd00:ec2::254]/",
    "http://169.254.169.254./", "file:///etc/passwd", "gopher://127.0.0.1:{port}/", "ftp://127.0.0.1:{port}/", "s3://bucket/key",
    "data:text/plain,x", "javascript:1", "http://bucket.example.evil:{port}/", "http://", "", "http:", "unix:/run/s", "https://[",
]  # fmt: skip


@pytest.mark.parametrize("location", SPELLINGS)
@pytest.mark.parametrize("open_prefix", [False, True])
async def test_redirects_to_inside(
    public: Origin, internal: Origin, dns: Dns, location: str, open_prefix: bool
) -> None:
    """In every spelling; also where the prefixes themselves name the target, as its address is checked all the same."""
    dns([PUBLIC], [INTERNAL])
    target = location.format(port=internal.port)
    public.answers[b"/a.jpg"] = redirect(target)
    prefixes = [f"http://bucket.example:{public.port}/"]
    if open_prefix:
        prefixes += [
            f"http://{host}:{internal.port}/"
            for host in (INTERNAL, "localhost", "0.0.0.0", "127.0.0.1.nip.example")
        ]
        prefixes += [
            f"http://[{host}]:{internal.port}/" for host in ("::1", "::", "::ffff:7f00:1", "::7f00:1")
        ]
        prefixes += [f"http://[{host}]:{internal.port}/" for host in ("64:ff9b::7f00:1", "2002:7f00:1::")]
        prefixes += [
            "http://169.254.169.254/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
        ]
    async with Sources(prefixes, private=[f"{PUBLIC}/32"], seconds=5) as sources:
        try:
            await sources.fetch(f"http://bucket.example:{public.port}/a.jpg")
        except SourceNotAllowed as error:
            assert "127.0.0.1" not in error.detail and "169.254" not in error.detail
        except SourceFailed:
            assert target == ""  # the same URL again, until there are too many
        else:
            raise AssertionError("something was fetched")


@pytest.mark.parametrize("url", [each for each in SPELLINGS if each and "\t" not in each])
async def test_urls_to_inside(public: Origin, internal: Origin, dns: Dns, url: str) -> None:
    dns([INTERNAL])
    async with Sources([f"http://bucket.example:{public.port}/"], private=[f"{PUBLIC}/32"]) as sources:
        with pytest.raises(SourceNotAllowed):
            await sources.fetch(url.format(port=internal.port))
    assert public.connections == 0


async def test_redirects_within_the_prefixes(public: Origin, dns: Dns) -> None:
    dns([PUBLIC])
    public.answers |= {
        b"/1": redirect("/2", "301 Moved Permanently"),
        b"/2": redirect(f"//bucket.example:{public.port}/x/../3", "307 Temporary Redirect"),
        b"/3": redirect("a.jpg?v=1", "303 See Other"),
        b"/a.jpg?v=1": whole(PICTURE, "Set-Cookie: a=b"),
    }
    assert await get(public, "/1") == PICTURE
    public.answers[b"/0"] = redirect("/1")
    with pytest.raises(SourceFailed, match="more than 3 times"):
        await get(public, "/0")
    assert len(public.requests) == 8 and not any(b"ookie" in request for request in public.requests)
    public.answers[b"/4"] = head("302 Found", length=0)
    with pytest.raises(SourceFailed, match="without a Location"):
        await get(public, "/4")


def endless(first: bytes, then: bytes, pause: float = 0.0) -> Answer:
    def send(client: socket.socket) -> None:
        client.sendall(first)
        while True:
            client.sendall(then)
            time.sleep(pause)

    return send


CHUNKED = head("200 OK", "Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    "answer",
    [
        whole(bytes(20_001)),
        head(length=10**18),
        endless(head(), bytes(65_536)),
        endless(CHUNKED, b"1000\r\n" + bytes(4096) + b"\r\n"),
    ],
)
async def test_long_bodies(public: Origin, dns: Dns, answer: bytes | Answer) -> None:
    dns([PUBLIC])
    public.answers[b"/a.jpg"] = answer
    with pytest.raises(BodyTooLarge):
        await get(public)


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"", b"", 0.05),  # nothing at all
        endless(b"HTTP/1.1 200 OK\r\n", b"X", 0.05),  # a head without an end
        endless(head(length=10_000), b"x", 0.05),  # one byte after the other
        endless(CHUNKED, b"1\r\nx\r\n", 0.05),
        endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
    ],
)
async def test_slow_sources(public: Origin, dns: Dns, answer: Answer) -> None:
    dns([PUBLIC])
    public.answers[b"/a.jpg"] = answer
    began = time.monotonic()
    with pytest.raises(SourceTooSlow):
        await get(public, seconds=0.4)
    assert time.monotonic() - began < 3


async def test_slow_redirects_share_the_time(public: Origin, dns: Dns) -> None:
    dns([PUBLIC])

    def late(client: socket.socket) -> None:
        time.sleep(0.3)
        client.sendall(redirect("/a.jpg"))

    public.answers[b"/a.jpg"] = late
    with pytest.raises(SourceTooSlow):
        await get(public, seconds=0.5)


@pytest.mark.parametrize(
    "answer",
    [
        head("200 OK", "Content-Encoding: gzip", length=100) + gzip.compress(bytes(10**7))[:100],
        head("200 OK", "Content-Encoding: br", length=3) + b"abc",
        head("200 OK", "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
        head("404 Not Found", length=0),
        head("500 Internal Server Error", length=0),
        head("206 Partial Content", length=0),
        head("204 No Content"),
        head(length=100) + b"less",  # a length that is not kept
        CHUNKED + b"zz\r\n",
        CHUNKED + b"5\r\nab",
        head("200 OK", "Content-Length: 5", "Content-Length: 6") + b"abcdef",
        head("200 OK", "Content-Length: -1") + b"abc",
        head("200 OK", f"Content-Length: {10**30}"),
        b"\x00" * 1000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"",
    ],
)
async def test_wrong_answers(public: Origin, dns: Dns, answer: bytes) -> None:
    dns([PUBLIC])
    public.answers[b"/a.jpg"] = answer
    with pytest.raises(SourceFailed):
        await get(public)


async def test_what_follows_the_announced_length_is_not_read(public: Origin, dns: Dns) -> None:
    dns([PUBLIC])
    public.answers[b"/a.jpg"] = head(length=4) + b"abcd" + b"HTTP/1.1 200 OK\r\n\r\nmore"
    assert await get(public) == b"abcd"


async def test_a_closed_port(public: Origin, dns: Dns) -> None:
    dns([PUBLIC])
    with socket.socket() as taken:
        taken.bind((PUBLIC, 0))
        public.port = taken.getsockname()[1]
        with pytest.raises(SourceFailed, match="connection") as error:
            await get(public)
    assert PUBLIC not in error.value.detail


async def test_what_received_raises_ends_the_fetch(public: Origin, dns: Dns) -> None:
    dns([PUBLIC])
    public.answers[b"/a.jpg"] = endless(head(), bytes(1000))

    def refuse(piece: bytes) -> None:
        raise KeyError

    async with Sources([f"http://bucket.example:{public.port}/"], private=[f"{PUBLIC}/32"]) as sources:
        with pytest.raises(KeyError):
            await sources.fetch(f"http://bucket.example:{public.port}/a.jpg", received=refuse)
        public.answers[b"/a.jpg"] = whole(PICTURE)
        many = [sources.fetch(f"http://bucket.example:{public.port}/a.jpg") for _ in range(20)]
        assert set(await asyncio.gather(*many)) == {PICTURE}


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, file = folder / "key.pem", folder / "cert.pem"
    make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    named = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    written = ["-keyout", str(key), "-out", str(file)]
    subprocess.run([command("openssl"), *make, *named, *written], check=True, capture_output=True)
    return key, file


@pytest.mark.parametrize("name", ["bucket.example", "other.example"])
async def test_tls_keeps_the_name(
    tmp_path: Path, dns: Dns, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The server's name is that of the URL, not the address; a certificate of another name is refused."""
    key, file = certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key)
    dns([PUBLIC])
    with origin({b"/a.jpg": whole(PICTURE)}, PUBLIC, context) as server:
        url = f"https://bucket.example:{server.port}/"
        async with Sources([url], private=[f"{PUBLIC}/32"], seconds=5) as sources:
            if name == "bucket.example":
                assert await sources.fetch(f"{url}a.jpg") == PICTURE
                assert f"host: bucket.example:{server.port}".encode() in server.requests[0].lower()
            else:
                with pytest.raises(SourceFailed):
                    await sources.fetch(f"{url}a.jpg")
        assert server.names == ["bucket.example"]


@pytest.mark.parametrize(
    ("prefix", "extra"), [("https://bucket.example/", "sources"), ("s3://bucket/", "remote")]
)
def test_without_the_extra(prefix: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("httpcore", "aiobotocore", "aiobotocore.config"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("web", "network", "bucket"):
        monkeypatch.delitem(sys.modules, f"gazecrop.sources.{name}", raising=False)
    with pytest.raises(GazecropError, match=rf"needs the extra \[{extra}\]"):
        Sources([prefix])


def test_nothing_is_imported_without_sources() -> None:
    program = "import sys, gazecrop.app; print([n for n in ('httpx', 'httpcore', 'aiobotocore') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "[]"
    assert fetch.CONNECTIONS > 0
