import asyncio
from collections.abc import Awaitable, Callable

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from gazecrop.errors import BadParameters, BodyTooLarge, BodyTooSlow, ClientGone, RequestError
from gazecrop.http.body import FRAMING, MAX_PARTS, read_body

KEY = bytes(range(32))
PICTURE = bytes(range(256)) * 40 + b"\r\n--\r\n--edge-\r\n--edg"
Receive = Callable[[], Awaitable[Message]]
Header = tuple[bytes, bytes]
FORM = (b"content-type", b'Multipart/Form-Data; boundary="edge"')


def receiving(*chunks: bytes, ends: bool = True) -> Receive:
    """A client that sends these chunks, then ends its request or disconnects."""
    messages: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if ends:
        messages.append({"type": "http.request"} if not messages else {**messages.pop(), "more_body": False})
    messages.append({"type": "http.disconnect"})

    async def receive() -> Message:
        await asyncio.sleep(0)
        return messages.pop(0)

    return receive


async def read(
    *chunks: bytes, headers: tuple[Header, ...] = (), limit: int = 20_000, ends: bool = True
) -> tuple[bytes, str]:
    hasher = blake3(key=KEY)
    body = await read_body(receiving(*chunks, ends=ends), headers, limit, 30, hasher)
    return body, hasher.hexdigest()


def form(*parts: tuple[bytes, bytes], end: bytes = b"--edge--\r\n") -> bytes:
    return (
        b"".join(
            b'--edge\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: image/jpeg\r\n\r\n%b\r\n'
            % part
            for part in parts
        )
        + end
    )


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


DIGEST = blake3(PICTURE, key=KEY).hexdigest()


async def test_without_a_hasher_nothing_is_hashed() -> None:
    assert await read_body(receiving(PICTURE), (), 20_000, 30) == PICTURE
    assert await read_body(receiving(form((b"file", PICTURE))), (FORM,), 20_000, 30) == PICTURE


@pytest.mark.parametrize("size", [1, 7, 4096, len(PICTURE)])
async def test_raw_and_multipart_give_the_same_bytes_and_hash(size: int) -> None:
    assert await read(*cut(PICTURE, size)) == (PICTURE, DIGEST)
    sent = form((b"note", b"file"), (b"file", PICTURE), (b"more", b"x" * 99))
    assert await read(*cut(sent, size), headers=(FORM,)) == (PICTURE, DIGEST)


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_pass_through_a_form(data: bytes, size: int) -> None:
    if b"\r\n--edge" in b"\r\n" + data + b"\r\n":
        return
    body, _ = asyncio.run(read(*cut(form((b"file", data)), size), headers=(FORM,)))
    assert body == data


async def test_an_empty_body_is_empty() -> None:
    assert (await read())[0] == b""
    assert (await read(b"", headers=((b"content-length", b"0"),)))[0] == b""
    assert (await read(form((b"file", b"")), headers=(FORM,)))[0] == b""


async def test_the_limit_applies_to_content_length_before_anything_is_read() -> None:
    async def receive() -> Message:
        raise AssertionError("the body must not be read")

    for headers, allowed in (((), 100), ((FORM,), 100 + FRAMING)):
        with pytest.raises(BodyTooLarge) as error:
            length = (b"content-length", b"%d" % (allowed + 1))
            await read_body(receive, (*headers, length), 100, 30, blake3())
        assert error.value.headers == {"Connection": "close"}
        assert error.value.members == {"limit": 100, "received": allowed + 1}


async def test_the_limit_applies_while_reading() -> None:
    assert await read(*cut(PICTURE, 1000), limit=len(PICTURE)) == (PICTURE, DIGEST)
    with pytest.raises(BodyTooLarge) as error:
        await read(*cut(PICTURE, 1000), limit=len(PICTURE) - 1)
    assert error.value.headers == {"Connection": "close"}


async def test_the_limit_of_a_form_is_that_of_its_file_and_all_fields_count() -> None:
    sent = form((b"file", PICTURE))
    assert (await read(*cut(sent, 1000), headers=(FORM,), limit=len(PICTURE)))[1] == DIGEST
    with pytest.raises(BodyTooLarge):
        await read(*cut(sent, 1000), headers=(FORM,), limit=len(PICTURE) - 1)
    with pytest.raises(BodyTooLarge):
        other = form((b"file", b"x"), (b"other", bytes(FRAMING + 200)))
        await read(*cut(other, 1000), headers=(FORM,), limit=100)
    with pytest.raises(BadParameters) as refused:  # as a picture in a field of another name
        other = form((b"image", bytes(FRAMING + 200)))
        await read(*cut(other, 1000), headers=(FORM,), limit=10 * FRAMING)
    assert "'image' is large, and no field is named file" in refused.value.detail


@pytest.mark.parametrize(
    "value", [b"-1", b"+5", b"1e3", b" 5", b"5_0", b"", b"x", b"9" * 19, "\u0665".encode()]
)
async def test_a_length_that_is_no_number_is_refused(value: bytes) -> None:
    with pytest.raises(BadParameters) as error:
        await read(b"12345", headers=((b"content-length", value),))
    assert error.value.members["errors"][0]["parameter"] == "Content-Length"


async def test_a_slow_body_times_out() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0.004)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(BodyTooSlow) as error:  # each chunk is in time, the whole body is not
        await read_body(receive, (), 1_000_000, 0.05, blake3())
    assert error.value.headers == {"Connection": "close"}
    assert error.value.status == 408


@pytest.mark.parametrize("headers", [(), (FORM,)])
async def test_a_client_that_disconnects_is_not_a_request_error(headers: tuple[Header, ...]) -> None:
    with pytest.raises(ClientGone) as error:
        await read(form((b"file", PICTURE)), headers=headers, ends=False)
    assert not isinstance(error.value, RequestError)


@pytest.mark.parametrize(
    ("content_type", "sent", "words"),
    [
        (b"multipart/form-data", form((b"file", b"x")), "boundary is missing"),
        (b"multipart/form-data; boundary=", form((b"file", b"x")), "boundary is missing"),
        (b"multipart/form-data; boundary=" + b"e" * 1000, form((b"file", b"x")), "boundary is too long"),
        (FORM[1], form((b"picture", b"x")), "no field named file"),
        (FORM[1], b"--edge--\r\n", "no field named file"),
        (FORM[1], form((b"file", b"x"), end=b""), "last boundary is missing"),
        (FORM[1], b"", "last boundary is missing"),
        (FORM[1], b"\xff\xd8 a picture itself", "RFC 7578"),
        (FORM[1], form((b"file", b"x"), (b"file", b"y")), "more than one field named file"),
        (FORM[1], form(*[(b"note", b"x")] * (MAX_PARTS + 1)), "more than 64 parts"),
        (FORM[1], b"--edge\r\nX: " + b"x" * 9000 + b"\r\n\r\n", "RFC 7578"),
        (FORM[1], b"--edge\r\n" + b"X: 1\r\n" * 100 + b"\r\n", "RFC 7578"),
        (FORM[1], b"--edge\r\n" + b"x" * 9000, "RFC 7578"),
    ],
)
async def test_invalid_forms_are_refused_with_the_reason(
    content_type: bytes, sent: bytes, words: str
) -> None:
    with pytest.raises(BadParameters) as error:
        await read(*cut(sent, 500), headers=((b"content-type", content_type),))
    assert words in error.value.detail
    assert error.value.members["errors"][0]["parameter"] == "file"
    assert error.value.headers == {"Connection": "close"}


async def test_other_types_are_the_file_itself() -> None:
    for kind in (b"application/x-www-form-urlencoded", b"image/png", b"multipart/mixed; boundary=edge", b""):
        assert await read(PICTURE, headers=((b"content-type", kind),)) == (PICTURE, DIGEST)
