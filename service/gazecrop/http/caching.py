"""Validators and freshness of answers to GET (RFC 9110, section 13; RFC 9111; RFC 8246 `immutable`)."""

import re
from zlib import crc32

YEAR = 31_536_000
_CODED = re.compile(r'--?(gzip|deflate|br|zstd)"$')


def etag(version: str, target: str) -> str:
    """The strong ETag of the response for `target` (path, query and chosen format) and a picture's `version`."""
    return f'"{version}-{crc32(target.encode()):08x}"'


def matches(condition: str, tag: str) -> bool:
    """If-None-Match: a list of tags, compared weakly, or `*` (RFC 9110, section 13.1.2)."""
    if condition == tag:
        return True
    return any(
        part in (tag, "*") for part in (original(one).removeprefix("W/") for one in condition.split(","))
    )


def original(tag: str) -> str:
    """The tag that this server sent, without what a compressing proxy added: Apache sends `"x-gzip"` for `"x"` (`-br`
    with Brotli), Jetty `"x--gzip"`. They pass requests on with their own tags."""
    return _CODED.sub('"', tag.strip())


def control(default: str, requested: str | None, version: str, *, private: bool) -> str:
    """Cache-Control: one year if `?v=` equals the current version, else `default`.

    requested: the value of `?v=`. private: API keys are set, so that no shared cache may store the response.
    """
    value = f"max-age={YEAR}, immutable" if requested == version else default
    if private:
        directives = [part.strip() for part in value.split(",")]
        return ", ".join(
            ["private", *(one for one in directives if one.lower() not in ("public", "private", ""))]
        )
    return f"public, {value}" if requested == version else value
