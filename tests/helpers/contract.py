"""A client that validates every response against /openapi.json: status, content type, headers, body.

Each test of the HTTP interface is thus also one of the documentation.
"""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from jsonschema_rs import Draft202012Validator

T = TypeVar("T")
# Headers of HTTP and CORS, which OpenAPI documents do not list.
PLAIN = {"content-length", "content-type", "date", "connection", "transfer-encoding"}
CORS = "access-control-"


class Contract:
    """`seen`: the (method, path, status) triples that occurred."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.seen: set[tuple[str, str, str]] = set()
        self._validators: dict[tuple[str, str, str], Draft202012Validator] = {}
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path) for path in document["paths"]
        ]

    def __call__(self, response: httpx.Response) -> None:
        response.read()
        template = next((t for regex, t in self._paths if regex.fullmatch(response.request.url.path)), None)
        method = response.request.method.lower().replace("head", "get")
        if template is None or method not in self.document["paths"][template]:
            return  # a 404, a 405, a file of the page
        operation = f"{method.upper()} {template}"
        documented = self.document["paths"][template][method]["responses"].get(str(response.status_code))
        assert documented, f"{operation} may not answer {response.status_code}: {response.text[:300]}"
        self.seen.add((method, template, str(response.status_code)))
        self._check_headers(operation, documented, response)
        self._check_content(operation, documented, response)

    def _check_headers(self, operation: str, documented: dict[str, Any], response: httpx.Response) -> None:
        described = {name.lower(): header for name, header in documented.get("headers", {}).items()}
        sent = {name for name in response.headers if name not in PLAIN and not name.startswith(CORS)}
        if response.headers.get("vary") == "Origin":  # CORS, too
            sent -= {"vary"}
        undocumented = sent - described.keys()
        assert not undocumented, f"{operation} {response.status_code} has undocumented {undocumented}"
        missing = {n for n, header in described.items() if header["required"]} - response.headers.keys()
        missing -= {"connection"}
        assert not missing, f"{operation} {response.status_code} lacks {missing}"

    def _check_content(self, operation: str, documented: dict[str, Any], response: httpx.Response) -> None:
        kinds = documented.get("content", {})
        kind = response.headers.get("content-type", "").partition(";")[0]
        assert bool(kinds) == bool(kind), f"{operation} {response.status_code} is {kind!r}, not {list(kinds)}"
        if not kinds:
            return
        assert kind in kinds, f"{operation} {response.status_code} is {kind}, not {list(kinds)}"
        if kind.endswith("json") and response.request.method != "HEAD":
            self._validator(operation, str(response.status_code), kind).validate(response.json())

    def _validator(self, operation: str, status: str, kind: str) -> Draft202012Validator:
        key = operation, status, kind
        if key not in self._validators:
            method, _, path = operation.partition(" ")
            responses = self.document["paths"][path][method.lower()]["responses"]
            schema = responses[status]["content"][kind]["schema"]
            self._validators[key] = Draft202012Validator(schema | {"components": self.document["components"]})
        return self._validators[key]


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of a response, which must have this status and type."""
    assert response.status_code == status, response.text[:300]
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert (document["type"], document["status"]) == (f"/problems/{slug}", status)
    assert document["title"] and "Traceback" not in response.text
    return document


def wrong(response: httpx.Response) -> list[str]:
    """The parameters that a 422 names."""
    return [one["parameter"] for one in problem(response, 422, "bad_parameters")["errors"]]


def client(url: str, **options: Any) -> httpx.Client:
    """A client of a running server that validates its responses against its OpenAPI document."""
    document = httpx.get(f"{url}/openapi.json", timeout=30).json()
    return httpx.Client(base_url=url, timeout=30, event_hooks={"response": [Contract(document)]}, **options)


def place_of(response: httpx.Response) -> str:
    """The path of the resource that Location names."""
    return response.url.join(response.headers["location"]).path


def metric(api: httpx.Client, name: str, **labels: str) -> float:
    """One value of /metrics; 0 if it does not exist yet."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    for line in api.get("/metrics").text.splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and wanted <= set((found[1] or "").split(",")):
            return float(found[2])
    return 0.0


def until(holds: Callable[[], T], seconds: float = 20) -> T:
    """Polls `holds` until its result is truthy, and returns it. Fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.005)
    return found


def ready(url: str, process: "subprocess.Popen[bytes]", log: Path | None = None) -> Callable[[], bool]:
    """For `until`: whether the server of this process answers, without a 5xx. Fails the test when it has ended."""

    def holds() -> bool:
        assert process.poll() is None, "the server has ended" if log is None else log.read_text()
        try:
            return httpx.get(url).status_code < 500
        except httpx.TransportError:
            return False

    return holds


def begin_upload(
    url: str, data: bytes, sent: int | None = None, headers: str = "", path: str = "/v1/images"
) -> socket.socket:
    """Starts an upload on a new connection and sends the first `sent` bytes of its body (None: all)."""
    host, port = url.removeprefix("http://").split(":")
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
    with ExitStack() as opened:
        connection = opened.enter_context(socket.create_connection((host, int(port)), timeout=30))
        connection.sendall(head.encode() + data[:sent])
        opened.pop_all()
    return connection


Begin = Callable[..., socket.socket]


@contextmanager
def uploads(url: str) -> Iterator[Begin]:
    """`begin_upload` at this server, any number of times; open connections are closed at the end."""
    with ExitStack() as connections:
        yield lambda *body, **more: connections.enter_context(begin_upload(url, *body, **more))


def answer_of(connection: socket.socket) -> httpx.Response:
    """Reads one response and closes the connection."""
    with connection, connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        headers = {}
        while line := file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name] = value
        return httpx.Response(
            status, headers=headers, content=file.read(int(headers.get("content-length", 0)))
        )
