"""What the error of an upload says about bytes that are no picture, and about how they were sent."""

import pytest

from gazecrop.errors import NotAPicture, PictureError, PictureUnreadable
from gazecrop.http.not_pictures import explained
from gazecrop.picture.probe import inspect
from tests.helpers.pictures import encode
from tests.helpers.samples import scene

FORM = "application/x-www-form-urlencoded"


def error_of(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as error:
        inspect(data)
    return error.value


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1", "PSD"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><svg/>', "XML or SVG"),
        (b"\n <!DOCTYPE html><title>Not found</title>", "HTML"),
    ],
)
def test_other_types_are_named(data: bytes, name: str) -> None:
    error = error_of(data)
    assert isinstance(error, NotAPicture)
    assert error.detail.startswith("The bytes are not a picture of a format that is read here: JPEG, PNG, ")
    assert error.detail.endswith(f". They are a file of the type {name}.")


def test_of_text_nothing_is_said() -> None:
    assert "type" not in error_of(b"hello").detail


def test_curl_d_gets_a_hint() -> None:
    """It removes line ends: of a PNG already in the first bytes, elsewhere the file is broken."""
    png = encode(scene(), "PNG").replace(b"\r", b"").replace(b"\n", b"")
    for error, data in ((error_of(png), png), (PictureUnreadable("broken"), b"\xff\xd8\xff")):
        assert "fix" not in explained(error, data, "image/png").members
        assert "--data-binary" in explained(error, data, FORM).members["fix"]


def test_a_known_mistake_has_its_own_fix() -> None:
    error = explained(error_of(b'{"url": 1}'), b'{"url": 1}', FORM)
    assert error.detail.startswith("The upload is JSON") and "--data-binary" not in error.members["fix"]
