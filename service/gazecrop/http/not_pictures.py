"""Common mistakes of clients that upload something other than the bytes of a picture, each with its own fix."""

import base64

from gazecrop.errors import NotAPicture, PictureError
from gazecrop.picture.probe import sniff

_START = 96  # bytes that are examined; AVIF's brands are within the first 72 characters of base64
_FIX = "Send the bytes of the file itself: curl --data-binary @picture.jpg, or curl -F file=@picture.jpg."


def explained(error: PictureError, data: bytes, content_type: str) -> PictureError:
    """The error for this body: that of a known mistake, else `error`, with a fix for curl -d."""
    mistake = explain_mistake(data) if isinstance(error, NotAPicture) else None
    if mistake is None and content_type.startswith("application/x-www-form-urlencoded"):
        error.members.setdefault("fix", "curl -d removes the line ends of a file: use --data-binary.")
    return mistake or error


def explain_mistake(data: bytes) -> NotAPicture | None:
    """The error for an empty upload, a data URL, base64, JSON or gzip instead of a picture; None for anything else."""
    start = data[:_START].lstrip(b" \t\r\n\"'")
    if not data:
        return NotAPicture(
            "The upload is empty: a JPEG, PNG, WebP or other picture file was expected.", fix=_FIX
        )
    if start[:5].lower() == b"data:":
        return NotAPicture(
            "The upload is a data: URL, not a picture.",
            fix="Decode the base64 after the comma and send the resulting bytes.",
        )
    if data.startswith(b"\x1f\x8b"):
        return NotAPicture(
            "The upload is compressed with gzip.",
            fix="Send the picture uncompressed: picture formats are compressed already.",
        )
    if start[:1] == b"{":
        return NotAPicture(
            "The upload is JSON: a JPEG, PNG, WebP or other picture file was expected.",
            fix='Send the bytes of the file, or {"url": ...} with Content-Type: application/json.',
        )
    if _is_base64_picture(start):
        return NotAPicture(
            "The upload is base64 text, not the bytes of a picture.",
            fix="Decode the base64 and send the resulting bytes.",
        )
    return None


def _is_base64_picture(start: bytes) -> bool:
    text = start.translate(bytes.maketrans(b"-_", b"+/"), b" \t\r\n\"'=")
    try:
        sniff(base64.b64decode(text[: len(text) // 4 * 4], validate=True))
    except (NotAPicture, ValueError):
        return False
    return True
