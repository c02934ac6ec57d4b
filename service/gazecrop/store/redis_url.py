"""REDIS_URL: one Redis, or Sentinels that name the primary.

    redis://[USER:PASSWORD@]HOST[:6379][/DATABASE], rediss:// with TLS, unix://PATH
    redis+sentinel://[USER:PASSWORD@]HOST[:26379],HOST[:26379].../NAME[/DATABASE], rediss+sentinel:// with TLS

Options follow a `?`: those of redis-py's connections, and for Sentinels that have a password of their own
`sentinel_username` and `sentinel_password`.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url

SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Target:
    """`options`: arguments of a connection. `where`: the address for logs, without the password. `sentinels`: (host,
    port) of each, empty without Sentinel; `service`: the name that they give the primary."""

    options: dict[str, Any]
    where: str
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    sentinel_options: dict[str, Any] = field(default_factory=dict)


def parse(url: str) -> Target:
    """Raises ValueError, whose text never contains the password."""
    scheme, _, rest = url.partition("://")
    if "cluster" in scheme:
        raise ValueError(
            "Redis Cluster is not supported. Use one primary, with Sentinel for fail-over (redis+sentinel://)."
        )
    if scheme in ("redis+sentinel", "rediss+sentinel"):
        return _sentinel(scheme.removesuffix("+sentinel"), rest)
    parts = urlsplit(url)
    where = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    return Target(dict(parse_url(url)), where)


def _sentinel(scheme: str, rest: str) -> Target:
    address, _, query = rest.partition("?")
    authority, _, path = address.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    service, _, database = path.partition("/")
    sentinels = tuple(_host(text) for text in hosts.split(",") if text)
    if not sentinels or not service:
        raise ValueError(
            "A Sentinel URL is redis+sentinel://HOST:26379,HOST:26379/NAME-OF-THE-PRIMARY[/DATABASE]."
        )
    # The host is a placeholder: each connection asks the Sentinels for its address.
    options: dict[str, Any] = dict(parse_url(f"{scheme}://{credentials}{at}sentinel/{database}?{query}"))
    own = ("username", "password")
    sentinel_options = {
        name: options.pop(f"sentinel_{name}") for name in own if f"sentinel_{name}" in options
    }
    if scheme == "rediss":
        tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
        sentinel_options |= {"ssl": True} | tls
    return Target(options, f"{hosts}/{path}", sentinels, unquote(service), sentinel_options)


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{text!r} is not HOST or HOST:PORT.")
    return unquote(parts.hostname), parts.port or SENTINEL_PORT
