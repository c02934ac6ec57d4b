"""Multipart bodies of every permitted form (RFC 2046, section 5.1), cut into pieces anywhere."""

from email.generator import BytesGenerator
from email.message import EmailMessage
from io import BytesIO

import pytest

from gazecrop.http.multipart import HEADER_BYTES, LOOKALIKES, PADDING, Headers, Malformed, MultipartParser

Part = tuple[Headers, bytes]
HEAD = b'Content-Disposition: form-data; name="file"\r\n'
BINARY = bytes(range(256)) * 3 + b"\r\n--\r\n--edge-\r\n--edg\r\r\n-"


def parse(body: bytes, size: int, boundary: bytes = b"edge") -> list[Part]:
    """The parts of a body that arrives in pieces of `size` bytes."""
    heads: list[Headers] = []
    contents: list[bytes] = []

    def part(headers: Headers) -> None:
        heads.append(headers)
        contents.append(b"")

    def data(content: bytes) -> None:
        assert content
        contents[-1] += content

    parser = MultipartParser(boundary, part, data)
    for at in range(0, len(body), size):
        parser.feed(body[at : at + size])
    parser.close()
    return list(zip(heads, contents, strict=True))


FORMS = {
    "plain": b"--edge\r\n" + HEAD + b"\r\n%b\r\n--edge--\r\n",
    "no line break at the end": b"--edge\r\n" + HEAD + b"\r\n%b\r\n--edge--",
    "line break at the start": b"\r\n--edge\r\n" + HEAD + b"\r\n%b\r\n--edge--\r\n",
    "preamble": b"This is a multi-part message in MIME format.\r\n--edg\r\n\r\n--edge\r\n"
    + HEAD
    + b"\r\n%b\r\n--edge--",
    "epilogue": b"--edge\r\n" + HEAD + b"\r\n%b\r\n--edge--\r\nthe end\r\n--edge\r\n\r\nx\r\n--edge--\r\n",
    "padding": b"--edge \t \r\n" + HEAD + b"\r\n%b\r\n--edge--  \r\n",
    "long padding": b"--edge" + b" " * PADDING + b"\r\n" + HEAD + b"\r\n%b\r\n--edge--",
    "folded": b'--edge\r\nContent-Disposition: form-data;\r\n\t name="file"\r\n\r\n%b\r\n--edge--',
    "no space": b'--edge\r\ncontent-disposition:form-data; name="file"\r\n\r\n%b\r\n--edge--',
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize("content", [b"", b"x", BINARY, b"\r\n", b"--edge"])
def test_every_form_of_a_part(form: str, size: int, content: bytes) -> None:
    [(headers, found)] = parse(FORMS[form].replace(b"%b", content), size)
    assert found == content
    [(name, value)] = headers
    assert name == b"content-disposition" and b"".join(value.split()) == b'form-data;name="file"'


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_parts_without_headers_and_without_content(size: int) -> None:
    body = b"--edge\r\n\r\na\r\n--edge \r\n\r\n\r\n--edge\r\nA: 1\r\nB:\r\n  2\r\n\r\nb\r\n--edge--"
    assert parse(body, size) == [([], b"a"), ([], b""), ([(b"a", b"1"), (b"b", b"2")], b"b")]


def test_what_python_s_mail_package_makes() -> None:
    """It folds headers that are longer than 78 characters, and writes a preamble."""
    part = EmailMessage()
    part.set_content(b"\x00\xff\r\n" * 50, "image", "jpeg", cte="binary")
    part["Content-Disposition"] = 'form-data; name="file"; filename="' + "long name " * 12 + '.jpg"'
    message = EmailMessage()
    message["Content-Type"] = 'multipart/form-data; boundary="edge"'
    message.preamble = "This is a multi-part message in MIME format."
    message.set_payload([part])
    out = BytesIO()
    BytesGenerator(out, policy=message.policy.clone(linesep="\r\n")).flatten(message)
    body = out.getvalue().partition(b"\r\n\r\n")[2]
    assert b"\r\n filename" in body or b"\r\n form-data" in body  # it is folded
    for size in (1, 10_000):
        [(headers, content)] = parse(body, size)
        assert b'name="file"' in dict(headers)[b"content-disposition"] and content.startswith(b"\x00\xff")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "last boundary"),
        (b"no boundary", "does not occur"),
        (b"--edge\r\n", "last boundary"),
        (b"--edge\r\nA: b\r\n\r\nx\r\n--edge\r\n", "last boundary"),
        (b"--edge\r\nno header\r\n\r\nx\r\n--edge--", "invalid header"),
        (b"--edge\r\n folded: first\r\n\r\nx\r\n--edge--", "invalid header"),
        (b"--edge\r\nA: " + b"b" * HEADER_BYTES + b"\r\n\r\nx\r\n--edge--", "exceeds"),
        (b"--edge\r\n" + b"A: b\r\n" * 17 + b"\r\nx\r\n--edge--", "more than 16 headers"),
        (b"--edge\r\n\r\n" + b"\r\n--edgeX" * (LOOKALIKES + 1) + b"\r\n--edge--", "occurs in its data"),
        (b"--edge" + b" " * (PADDING + 1) + b"\r\n\r\nx\r\n", "does not occur"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_malformed_bodies(body: bytes, words: str, size: int) -> None:
    with pytest.raises(Malformed, match=words):
        parse(body, size)
