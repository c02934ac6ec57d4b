"""Both clients against a real server, and their retries against a server that refuses."""

import asyncio
import inspect
import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PILImage

import gazecrop
from gazecrop.client import AsyncClient, Client, NotReached, UnknownProblem
from gazecrop.client.calls import query_of
from gazecrop.errors import (
    BadParameters,
    FocusNotFound,
    GazecropError,
    ImageNotFound,
    NotAPicture,
    Overloaded,
    PreconditionFailed,
    SourceNotAllowed,
    Unauthorized,
)
from tests.conftest import Server, free_port
from tests.helpers.origins import Origin, head, origin
from tests.helpers.pictures import jpeg


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.url) as running:
        yield running


def test_an_upload_and_its_crops(client: Client, picture: bytes, tmp_path: Path) -> None:
    image = client.upload(picture, ratios=["16:9", "square"])
    assert (image.width, image.height, image.format) == (640, 480, "jpeg")
    assert [crop.ratio for crop in image.crops] == ["16:9", "1:1"] and image.crops[1].profile == "square"
    assert image.crops[0].box.width == 640 and image.focus.source == "model"
    assert client.crops(image.id, ratios="16:9,square") == image.crops
    assert client.crop(image.id, "16:9") == image.crops[0]
    assert client.image(image.id, ratios=["16:9", "square"]).crops == image.crops
    assert gazecrop.from_encoded(image.encoded).crop("16:9").box == image.crops[0].box
    file = tmp_path / "a.jpg"
    file.write_bytes(picture)
    for again in (file, str(file), io.BytesIO(picture)):
        found = client.upload(again, ratios=["16:9"])
        assert found.id == image.id and not found.created
    kept = client.crop(image.id, "1:1", keep=[(0.8, 0.1, 0.1, 0.1)])
    assert kept.box.x + kept.box.width >= 0.9 * 640
    assert client.crop(image.id, "1:1", zoom=2, candidates=2).document["alternatives"]
    assert client.crop(image.id, "1:1", keep=(0.8, 0.1, 0.1, 0.1)).box == kept.box


def test_files(client: Client, picture: bytes) -> None:
    rendered = client.render(picture, ratio="1:1", width=100, format="webp")
    with PILImage.open(io.BytesIO(rendered.data)) as found:
        assert (found.size, found.format) == ((100, 100), "WEBP")
    assert rendered.media_type == "image/webp" and rendered.box and rendered.box.width == rendered.box.height
    assert rendered.unmet == ()
    unmet = client.render(picture, ratio="1:3", keep=[(0.1, 0.1, 0.1, 0.1), (0, 0, 1, 1)]).unmet
    assert unmet == ("keep=0,0,1,1",)
    assert client.explain(picture, ratios=["1:1"]).box is None
    found_map = client.saliency(rendered.id)
    assert (len(found_map.values), len(found_map.values[0])) == (found_map.rows, found_map.columns)
    assert abs(sum(map(sum, found_map.values)) - 1) < 1e-3
    assert client.heat_map(rendered.id)[:4] == b"\x89PNG"


def test_the_focus(client: Client) -> None:
    id = client.upload(jpeg(seed=77)).id
    with pytest.raises(FocusNotFound):
        client.focus(id)
    first = client.set_focus(id, 0.25, 1)
    assert client.focus(id) == first and first.etag and (first.x, first.y) == (0.25, 1.0)
    second = client.set_focus(id, 0.5, 0.5, if_match=first.etag)
    with pytest.raises(PreconditionFailed):
        client.set_focus(id, 0.1, 0.1, if_match=first.etag)
    client.set_focus(id, 0.9, 0.9, profile="story")
    assert client.focus(id, profile="story").x == 0.9
    assert client.image(id).focus.source == "person"
    client.delete_focus(id, profile="story")
    client.delete_focus(id, if_match=second.etag)
    client.delete(id)
    with pytest.raises(ImageNotFound) as error:
        client.image(id)
    assert error.value.status == 404 and error.value.detail


def test_errors_are_the_library_s(client: Client, picture: bytes) -> None:
    with pytest.raises(BadParameters) as wrong:
        client.upload(picture, ratios=["0:1"], policy="best")
    assert {each["parameter"] for each in wrong.value.members["errors"]} == {"ratios", "policy"}
    assert wrong.value.problem()["type"] == "/problems/bad_parameters"
    with pytest.raises(NotAPicture, match="not a picture") as no_picture:
        client.upload(b"no picture")
    assert isinstance(no_picture.value, gazecrop.GazecropError)
    with pytest.raises(SourceNotAllowed, match="GAZECROP_SOURCES"):
        client.upload(url="https://bucket.example/a.jpg")
    with pytest.raises(ImageNotFound):
        client.crop("x?y#z", "16:9")
    for id, ratio in (("../../x", "16:9"), ("", "16:9"), ("x", "16/9"), ("..", "1:1")):
        with pytest.raises(BadParameters):
            client.crop(id, ratio)
    with pytest.raises(TypeError):
        client.upload()
    with pytest.raises(TypeError):
        client.upload(picture, url="https://bucket.example/a.jpg")


def test_keys(start_server: Callable[..., Server], picture: bytes) -> None:
    server = start_server(GAZECROP_API_KEYS="k")
    with Client(server.url, "k") as one, Client(server.url) as other:
        assert one.upload(picture).created
        with pytest.raises(Unauthorized) as error:
            other.upload(picture)
        assert error.value.headers["www-authenticate"] == "Bearer"


async def test_the_asynchronous_client(server: Server, client: Client, picture: bytes) -> None:
    async with AsyncClient(server.url) as other:
        image, rendered = await asyncio.gather(
            other.upload(picture, ratios=["1:1"]), other.render(picture, ratio="1:1")
        )
        assert image.crops == client.upload(picture, ratios=["1:1"]).crops
        assert rendered == client.render(picture, ratio="1:1")
        assert await other.crops(image.id, ratios=["1:1"]) == image.crops
        assert await other.saliency(image.id) == client.saliency(image.id)
        with pytest.raises(ImageNotFound):
            await other.image("0" * 32)


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, inspect.Signature]:
        names = [name for name in vars(kind) if not name.startswith("_") and name not in ("close", "aclose")]
        return {name: inspect.signature(getattr(kind, name)) for name in names}

    assert methods(Client) == methods(AsyncClient)


SHED = (
    b'{"type": "/problems/overloaded", "title": "Too many", "status": 503, "detail": "Full."}',
    "Content-Type: application/problem+json",
)
CROPS = head("200 OK", "Content-Type: application/json", length=13) + b'{"crops": []}'


def shed(seconds: str = "0") -> bytes:
    return head("503 Service Unavailable", SHED[1], f"Retry-After: {seconds}", length=len(SHED[0])) + SHED[0]


@pytest.fixture
def refusing() -> Iterator[Origin]:
    with origin({}) as running:
        yield running


def in_turn(server: Origin, *answers: bytes) -> None:
    left = list(answers)
    server.answers[b""] = lambda client: client.sendall(left.pop(0))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_retries(refusing: Origin, kind: str) -> None:
    def crops(**options: Any) -> Any:
        url = f"http://127.0.0.1:{refusing.port}/below/"
        if kind == "sync":
            with Client(url, **options) as one:
                return one.crops("x")

        async def run() -> Any:
            async with AsyncClient(url, **options) as other:
                return await other.crops("x")

        return asyncio.run(run())

    in_turn(refusing, shed(), shed("1"), CROPS)
    began = time.monotonic()
    assert crops() == () and time.monotonic() - began >= 1
    assert [request.split()[1] for request in refusing.requests] == [b"/below/v1/images/x/crops"] * 3
    in_turn(refusing, shed(), shed(), CROPS)
    with pytest.raises(Overloaded, match="Full") as error:
        crops(attempts=2)
    assert error.value.headers["retry-after"] == "0"
    in_turn(refusing, shed("11"), CROPS)
    with pytest.raises(Overloaded):  # longer than max_wait
        crops()
    in_turn(refusing, b"", b"", CROPS)
    assert crops() == ()  # closed without an answer
    in_turn(refusing, b"", b"", b"", CROPS)
    with pytest.raises(NotReached):
        crops()


def test_what_may_not_be_repeated_is_not(refusing: Origin) -> None:
    in_turn(refusing, b"", CROPS)
    with Client(f"http://127.0.0.1:{refusing.port}") as client, pytest.raises(NotReached):
        client.set_focus("x", 0.1, 0.1, if_match='"focus-1"')
    assert len(refusing.requests) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (head("502 Bad Gateway", "Content-Type: text/html", length=4) + b"<p/>", 502),
        (head("302 Found", "Location: /x", length=0), 302),
        (head("418 I'm a teapot", "Content-Type: application/problem+json", length=2) + b"[]", 418),
        (head("404 Not Found", "Content-Type: application/problem+json", length=1) + b"{", 404),
        (head("400 X", SHED[1], length=len(SHED[0])) + SHED[0], 400),
    ],
)
def test_answers_of_others(refusing: Origin, answer: bytes, status: int) -> None:
    in_turn(refusing, answer)
    with Client(f"http://127.0.0.1:{refusing.port}") as client, pytest.raises(UnknownProblem) as error:
        client.image("x")
    assert error.value.status == status


def test_an_answer_in_another_form(refusing: Origin) -> None:
    in_turn(refusing, head(length=2) + b"{}")
    with Client(f"http://127.0.0.1:{refusing.port}") as client, pytest.raises(GazecropError, match="form"):
        client.image("x")


def test_no_server() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", attempts=2) as client, pytest.raises(NotReached):
        client.upload(b"x")
    with pytest.raises(ValueError):
        Client("http://127.0.0.1", attempts=0)


def test_parameters() -> None:
    assert query_of({"ratios": ["1:1", "story"], "zoom": 1e-7, "enlarge": True, "v": None, "align": (0.5, 0.4)}) == [
        ("ratios", "1:1,story"), ("zoom", "0.0000001"), ("enlarge", "true"), ("align", "0.5,0.4"),
    ]  # fmt: skip
    assert query_of({"keep": [(0, 0, 1, 0.5), (0.1, 0.1, 0.2, 0.2)], "avoid": "0,0,1,1"}) == [
        ("keep", "0,0,1,0.5"), ("keep", "0.1,0.1,0.2,0.2"), ("avoid", "0,0,1,1"),
    ]  # fmt: skip


def test_importing_gazecrop_needs_no_httpx() -> None:
    program = (
        "import sys; sys.modules['httpx'] = None\nimport gazecrop\n"
        "try: gazecrop.Client\nexcept ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "gazecrop[client]" in done.stdout
    program = "import sys, gazecrop; gazecrop.Client; print('onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
