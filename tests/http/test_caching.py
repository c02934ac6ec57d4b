"""ETags, If-None-Match, Cache-Control."""

import pytest

from gazecrop.http.caching import control, etag, matches

TAG = '"abc-00000001"'


def test_an_etag_is_strong_and_differs_between_versions_and_targets() -> None:
    tags = {etag(version, target) for version in ("a", "b") for target in ("/x", "/x?y", "/é\ud7ff")}
    assert len(tags) == 6
    assert all(tag[0] == tag[-1] == '"' and tag.isascii() and '"' not in tag[1:-1] for tag in tags)
    assert etag("a", "/x") == etag("a", "/x")


CODED = [TAG[:-1] + suffix + '"' for suffix in ("-gzip", "-br", "--gzip", "-zstd", "-deflate")]


@pytest.mark.parametrize(
    "condition",
    [TAG, f"W/{TAG}", f'"x", {TAG}', f' {TAG} ,"y"', "*", f'"x",W/{TAG}', *CODED, f'"x", W/{CODED[0]}'],
)
def test_what_matches(condition: str) -> None:
    assert matches(condition, TAG)


@pytest.mark.parametrize(
    "condition",
    [
        "",
        '"x"',
        TAG.strip('"'),
        TAG.upper(),
        f"w/{TAG}",
        '"*"',
        f"{TAG}x",
        ",",
        f"{TAG}-gzip",
        CODED[0] + "x",
        TAG[:-1] + '-gzipped"',
        '"-gzip"',
    ],
)
def test_what_does_not_match(condition: str) -> None:
    assert not matches(condition, TAG)


@pytest.mark.parametrize(
    ("default", "requested", "private", "expected"),
    [
        ("no-cache", None, False, "no-cache"),
        ("no-cache", "old", False, "no-cache"),
        ("no-cache", "", False, "no-cache"),
        ("no-cache", "v1", False, "public, max-age=31536000, immutable"),
        ("no-cache", None, True, "private, no-cache"),
        ("no-cache", "v1", True, "private, max-age=31536000, immutable"),
        ("public, max-age=60", None, False, "public, max-age=60"),
        ("public, max-age=60", None, True, "private, max-age=60"),
        ("Public,max-age=60, s-maxage=5", None, True, "private, max-age=60, s-maxage=5"),
        ("private", "x", True, "private"),
        ("", None, True, "private"),
    ],
)
def test_cache_control(default: str, requested: str | None, private: bool, expected: str) -> None:
    assert control(default, requested, "v1", private=private) == expected
