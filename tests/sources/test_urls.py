"""The normal form of URLs, and prefixes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gazecrop.sources.urls import UrlError, parse, parse_prefix, within

PREFIXES = tuple(
    parse_prefix(each)
    for each in ("https://bucket.example/public/", "http://10.0.0.1:9000/photos/", "s3://bucket/a/")
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://bucket.example", "https://bucket.example/"),
        ("HTTPS://Bucket.EXAMPLE:443/a.jpg", "https://bucket.example/a.jpg"),
        ("http://bucket.example:/a", "http://bucket.example/a"),
        ("http://bucket.example:0080/a", "http://bucket.example/a"),
        ("https://bucket.example./a", "https://bucket.example/a"),
        ("https://bucket.example/%7euser/%41%2d%2E.jpg", "https://bucket.example/~user/A-..jpg"),
        ("https://bucket.example/a%c3%a9/é", "https://bucket.example/a%C3%A9/%C3%A9"),
        ("https://bucket.example/a/./b/../c/", "https://bucket.example/a/c/"),
        ("https://bucket.example/a/%2E%2e/%2e/b", "https://bucket.example/b"),
        ("https://bucket.example/../../a", "https://bucket.example/a"),
        ("https://bucket.example/a/..", "https://bucket.example/"),
        ("https://bucket.example/a//b", "https://bucket.example/a//b"),
        ("https://bucket.example/a?x=../..%2f&y=a b#f".replace(" ", "+"),
        "https://bucket.example/a?x=../..%2f&y=a+b"),
        ("https://bucket.example/a?", "https://bucket.example/a?"),
        ("https://bücket.example/a", "https://xn--bcket-kva.example/a"),
        ("https://bucket。example/a", "https://bucket.example/a"),
        ("https://ｂucket.example/a", "https://bucket.example/a"),
        ("http://[2606:2800:0220::0001]:80/a", "http://[2606:2800:220::1]/a"),
        ("http://１２７.0.0.1/a", "http://127.0.0.1/a"),
        ("s3://bucket/a/b c%2e?x#y", "s3://bucket/a/b c%2e?x#y"),
    ],
)  # fmt: skip
def test_a_url_has_one_form(text: str, normal: str) -> None:
    assert str(parse(text)) == normal
    if not text.startswith("s3"):
        assert str(parse(normal)) == normal


@pytest.mark.parametrize(
    "text",
    [
        "", "bucket.example/a", "//bucket.example/a", "https:bucket.example/a", "https:/bucket.example/a",
        "file:///etc/passwd", "gopher://bucket.example/a", "ftp://bucket.example/a", "data:image/png;base64,AAAA",
        "https+file://bucket.example/a", " https://bucket.example/a", "https://bucket.example/a b",
        "https://bucket.example/a\n", "https://bucket.example/\ta", "ht\ttps://bucket.example/",
        "https://bucket.example/a\x00",
        "https://bucket.example/\x7f", "https://bucket.example/\x85", "https://bucket.example\\@evil/a",
        "https://bucket.example/a\\..\\b", "https://user@bucket.example/a", "https://user:word@bucket.example/a",
        "https://bucket.example@evil/a", "https://@bucket.example/a",
        "https:///a",
        "https://bucket.example:0/a", "https://bucket.example:65536/a", "https://bucket.example:+80/a",
        "https://bucket.example:8 0/a", "https://bucket.example:٨٠/a", "https://[::1/a", "https://[::1]x/a",
        "https://[fe80::1%25eth0]/a", "https://[fe80::1%eth0]/a", "https://[127.0.0.1]/a", "https://::1/a",
        "https://bucket..example/a", "https://.example/a", "https://bucket.example../a", "https://-a.example/a",
        "https://buck%65t.example/a", "https://bucket.example%2f@evil/a", "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 127 + "example/", "http://2130706433/a", "http://0x7f000001/a", "http://0x7f.1/a",
        "http://0177.0.0.1/a", "http://127.1/a", "http://127.0.1/a", "http://0/a", "http://1.2.3.4.5/a",
        "http://256.0.0.1/a", "http://127.0.0.0x1/a", "http://evil.0x7f/", "http://①②⑦.1/a", "http://０x7f.1/a",
        "https://bucket.example/a%", "https://bucket.example/a%2", "https://bucket.example/%zz",
        "https://bucket.example/a%00.jpg", "https://bucket.example/a%0d%0ab", "https://bucket.example/a/..%2fb",
        "https://bucket.example/a%2f..%2fb", "https://bucket.example/a/..%5cb",
        "https://bucket.example/a/%252e%252e/b",
        "https://bucket.example/a/..%252fb", "https://bucket.example/a/..;/b", "https://bucket.example/a/..;x=1/b",
        "https://bucket.example/" + "%25" * 3 + "2525252e", "https://bucket.example/" + "a" * 5000,
        "https://bucket.example/\ud800", "https://bucket.example/a?\ud800", "https://\ud800.example/a",
        "s3://", "s3:///a", "s3://b/a", "s3://user@bucket/a", "s3://bucket/../a", "s3://bucket/a/./b",
        "s3://Bucket/a",
        "s3://bucket/a\\b",
        "s3://buc ket/a", "s3 ://bucket/a", "s3://bucket/a\n",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(UrlError) as error:
        parse(text)
    assert len(str(error.value)) < 100


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("https://bucket.example/public/a.jpg", True),
        ("https://BUCKET.example.:443/x/../public/a.jpg", True),
        ("https://bucket.example/public/%2e/a.jpg", True),
        ("http://10.0.0.1:9000/photos/a", True),
        ("s3://bucket/a/b", True),
        ("http://bucket.example/public/a.jpg", False),
        ("https://bucket.example:8443/public/a.jpg", False),
        ("https://bucket.example/publicity/a.jpg", False),
        ("https://bucket.example/public", False),
        ("https://bucket.example/public/../a.jpg", False),
        ("https://bucket.example/public/%2e%2E/a.jpg", False),
        ("https://bucket.example.evil/public/a.jpg", False),
        ("https://bucket.example.evil./public/", False),
        ("https://evil.bucket.example/public/", False),
        ("https://evil/https://bucket.example/public/", False),
        ("https://evil?https://bucket.example/public/", False),
        ("https://evil#https://bucket.example/public/", False),
        ("https://evil#@bucket.example/public/", False),
        ("https://bucket.example//public/a", False),
        ("https://bucket.example/PUBLIC/a", False),
        ("http://10.0.0.1/photos/a", False),
        ("s3://bucket/b", False),
        ("s3://bucket.evil/a/b", False),
        ("https://bucket/a/b", False),
    ],
)  # fmt: skip
def test_prefixes(text: str, allowed: bool) -> None:
    assert within(parse(text), PREFIXES) is allowed


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("bucket.example", "begins with none"), ("ftp://bucket.example/", "begins with none"),
        ("https://bucket.example", "no slash"),
        ("s3://bucket", "no slash"), ("https://u:p@bucket.example/", "credentials"), ("https://bucket.example/?a=1",
        "query"),
        ("https://bucket.example/#a", "fragment"), ("https://*.example/", r"\*"), ("https:///", "host"), ("s3://",
        "bucket"),
        ("https://bucket example/", "space"), ("http://127.1/", "unusual form"),
    ],
)  # fmt: skip
def test_malformed_prefixes(prefix: str, why: str) -> None:
    with pytest.raises(UrlError, match=why):
        parse_prefix(prefix)


@given(st.text(st.sampled_from("ab.%25eEfF/\\;:@?#[]0x17 é。"), max_size=24))
@example("/%2E%2e/%2e%2e/")
def test_nothing_leaves_the_prefix(rest: str) -> None:
    """Whatever follows the prefix: it is refused, or its normal form is within no other path after any decoding."""
    try:
        url = parse(f"https://bucket.example/public/{rest}")
    except UrlError:
        return
    assert url.host == "bucket.example" and url.path.isascii()
    assert parse(str(url)) == url
    steps = url.path.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").split("/")
    assert ".." not in steps
