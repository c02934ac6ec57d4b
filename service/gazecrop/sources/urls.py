"""URLs in one normal form, so that a prefix is compared with what is requested. Pure, no network.

Two programs that read one URL differently are how a request leaves its prefix, so a URL that has more than one reading
is refused rather than repaired.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote

import idna

PORTS = {"http": 80, "https": 443, "s3": 0}
LONGEST = 4096  # characters; signed URLs of S3 with a session token have about 1,800
LONGEST_KEY = 1024  # bytes of UTF-8, as S3 allows
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", re.ASCII)
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_PORT = re.compile(r"\d{1,5}", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DECODINGS = 4  # a path that is still encoded after as many decodings has no honest use


class UrlError(ValueError):
    """The URL is not fetched. The text, which follows `it`, is for the client."""


@dataclass(frozen=True, slots=True)
class Url:
    """host: of ASCII letters in lower case without a final dot, or an address without brackets; of s3 the bucket. port:
    always given, 0 of s3. path: normal and percent-encoded; of s3 `/` and the key as it is. query: None without one."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """The path and the query, as in the first line of a request."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def begins_with(self, prefix: "Url") -> bool:
        same = (self.scheme, self.host, self.port) == (prefix.scheme, prefix.host, prefix.port)
        return same and self.path.startswith(prefix.path)


def parse(text: str) -> Url:
    """The normal form of an http, https or s3 URL; its fragment is dropped. Raises UrlError."""
    if len(text) > LONGEST:
        raise UrlError(f"it has more than {LONGEST} characters")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    # A key of S3 has no encoding, so that a space in it is a space.
    if _FORBIDDEN.search(text.replace(" ", "") if scheme == "s3" else text):
        raise UrlError("it has a space, a control character or a backslash")
    if not separator or scheme not in PORTS:
        raise UrlError("it begins with none of https://, http:// and s3://")
    if scheme == "s3":
        return _s3(rest)
    rest = rest.partition("#")[0]
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    path, mark, query = rest[len(authority) :].partition("?")
    host, port = _host_and_port(authority)
    try:
        quoted = quote(query, safe="%/?:@!$&'()*+,;=-._~[]|^`{}") if mark else None
        return Url(scheme, host, port or PORTS[scheme], _path(path or "/"), quoted)
    except UnicodeEncodeError:  # a lone surrogate
        raise UrlError("it has characters that are not Unicode") from None


def parse_prefix(text: str) -> Url:
    """A prefix of allowed URLs. Raises UrlError."""
    if "?" in text or "#" in text:
        raise UrlError("it has a query or a fragment")
    if "*" in text:
        raise UrlError("it has a *: a prefix is taken as it is")
    url = parse(text)
    if "/" not in text.partition("://")[2]:
        raise UrlError(f"it has no slash after {'the bucket' if url.scheme == 's3' else 'the host'}")
    return url


def of_object(bucket: str, key: str) -> Url:
    """The URL of an object. Other than in a text, its key may have spaces and line breaks. Raises UrlError."""
    if not _BUCKET.fullmatch(bucket):
        raise UrlError("it has no valid name of a bucket")
    try:
        if not 1 <= len(key.encode()) <= LONGEST_KEY:
            raise UrlError(f"its key does not have 1 to {LONGEST_KEY} bytes")
    except UnicodeEncodeError:  # a lone surrogate
        raise UrlError("it has characters that are not Unicode") from None
    return _s3(f"{bucket}/{key}")


def within(url: Url, prefixes: Iterable[Url]) -> bool:
    return any(url.begins_with(prefix) for prefix in prefixes)


def _s3(rest: str) -> Url:
    """s3://BUCKET/KEY. A key has no encoding: ?, # and % are characters of it."""
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise UrlError("it has credentials")
    if not _BUCKET.fullmatch(bucket):
        raise UrlError("it has no valid name of a bucket")
    if not {".", ".."}.isdisjoint(key.split("/")):
        raise UrlError("its key has a step . or ..")
    return Url("s3", bucket, 0, f"/{key}")


def _host_and_port(authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        raise UrlError("it has credentials")
    if authority.startswith("["):
        inside, bracket, rest = authority[1:].partition("]")
        if not bracket or rest[:1] not in ("", ":"):
            raise UrlError("it has no valid host")
        host, port = _ipv6(inside), rest[1:]
    else:
        name, _, port = authority.partition(":")
        host = _name(name)
    if not port:
        return host, None
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise UrlError("it has no valid port")
    return host, int(port)


def _ipv6(text: str) -> str:
    try:
        if "%" in text:  # a zone, which only links of this machine have
            raise ValueError
        return str(IPv6Address(text))
    except ValueError:
        raise UrlError("it has no valid host") from None


def _name(text: str) -> str:
    """A host's name, or an IPv4 address in its one usual form: C libraries also read 127.1, 0177.0.0.1, 2130706433 and
    0x7f.1 as addresses."""
    try:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise UrlError("it has no valid host") from None
    name = name.lower().removesuffix(".")
    if not _NAME.fullmatch(name):
        raise UrlError("it has no valid host")
    if _NUMERIC.fullmatch(name.rpartition(".")[2]):
        try:
            return str(IPv4Address(name))
        except ValueError:
            raise UrlError("its host is an address in an unusual form") from None
    return name


def _path(path: str) -> str:
    """RFC 3986, 6.2.2: escapes in capitals, none of unreserved characters, no steps . and .. Raises UrlError where such
    a step would appear after further decoding, as in /a/..%2fb."""
    if _BAD_ESCAPE.search(path):
        raise UrlError("it has a % that begins no escape")
    path = quote(path, safe="%/:@!$&'()*+,;=-._~")
    path = _without_steps(_ESCAPE.sub(_normal_escape, path))
    decoded = path
    for _ in range(_DECODINGS):
        previous, decoded = decoded, unquote(decoded, "latin-1")
        if decoded == previous:
            break
    else:
        raise UrlError("its path is encoded several times")
    steps = {step.partition(";")[0] for step in re.split(r"[/\\]", decoded)}
    if not {".", ".."}.isdisjoint(steps) or re.search(r"[\x00-\x1f\x7f]", decoded):
        raise UrlError("its path has an encoded step .. or a control character")
    return path


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _without_steps(path: str) -> str:
    """RFC 3986, 5.2.4."""
    steps, kept = path.split("/")[1:], list[str]()
    for step in steps:
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
    if steps[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
