"""Errors: every one of the tree, and what to do about it."""

from collections.abc import Iterator

from docs.reference.markdown import made_by, table
from gazecrop.errors import GazecropError

FIXES = {
    "internal_error": "A fault of the server: its log has the traceback. Report it.",
    "unsupported_picture": "Send JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP, as bytes; `detail` names some other types.",
    "picture_unreadable": "The file is damaged or ends too early: send the complete original.",
    "too_many_pixels": "Scale the picture down, or raise `GAZECROP_MAX_MEGAPIXELS_JPEG` or `GAZECROP_MAX_MEGAPIXELS`.",
    "bad_parameters": "`errors` lists each wrong parameter with what it may be, often with a `fix`.",
    "body_too_large": "Send a smaller file, or raise `GAZECROP_MAX_BYTES` and the proxy's own limit.",
    "body_too_slow": "The body did not arrive within `GAZECROP_BODY_SECONDS`: send it again, from closer or smaller.",
    "unsupported_encoding": "Send the body without `Content-Encoding`.",
    "cross_origin": "Name the page's origin in `GAZECROP_CORS_ORIGINS`.",
    "unauthorized": "Send `Authorization: Bearer KEY`.",
    "forbidden": "The key is not one of `GAZECROP_API_KEYS`.",
    "not_found": "The path does not exist: see [HTTP](http.md).",
    "image_not_found": "Upload the picture: the id was never made, or its map was removed.",
    "focus_not_found": "No person has set a focus: `PUT` one.",
    "method_not_allowed": "`Allow` lists the methods of this path.",
    "not_acceptable": "Accept one of the media types that `detail` lists.",
    "precondition_failed": "Someone changed the focus since you read it: read it again and repeat.",
    "too_many_reports": "Wait as long as `Retry-After` says, or raise `GAZECROP_REPORTS_PER_HOUR`.",
    "too_much_memory": "It needs more than `GAZECROP_MEMORY_MEGABYTES`: raise that, or send a smaller picture.",
    "unavailable": "Wait as long as `Retry-After` says, and repeat.",
    "overloaded": "Wait as long as `Retry-After` says; if it lasts, add replicas.",
    "draining": "Repeat at once: another replica answers.",
    "store_unavailable": "Redis does not answer: see [GazecropStoreAway](../runbooks/GazecropStoreAway.md).",
    "deadline_passed": "The deadline passed before the work began: allow more time, or add replicas.",
    "source_not_allowed": "See [pictures by URL](../pictures_by_url.md): name a prefix in `GAZECROP_SOURCES`.",
    "source_failed": "`detail` has the reason, `received` the status of the source: check that the URL is a picture.",
    "source_too_slow": "Repeat; if it lasts, upload the file, or raise `GAZECROP_BODY_SECONDS`.",
    "store_full": "See [GazecropFull](../runbooks/GazecropFull.md).",
}


def tree(error: type[GazecropError] = GazecropError) -> Iterator[type[GazecropError]]:
    """Every class with a slug of its own."""
    if "slug" in vars(error):
        yield error
    for each in error.__subclasses__():
        yield from tree(each)


def page() -> str:
    rows = sorted({(each.status, each.slug, each.title) for each in tree()})
    return (
        made_by("service/gazecrop/errors.py")
        + "# Errors\n\nEvery error is `application/problem+json` (RFC 9457). Clients may match on `type`.\n"
        "Google's and Azure's endpoints answer in their vendors' own form, with the same statuses.\n\n"
        + table(
            ("status", "`type`", "meaning", "what to do"),
            ((status, f"`/problems/{slug}`", title, FIXES[slug]) for status, slug, title in rows),
        )
    )
