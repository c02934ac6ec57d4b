"""REDIS_URL: one Redis, or Sentinels that name the primary.

    redis://[USER:PASSWORD@]HOST[:6379][/DATABASE], rediss:// with TLS, unix://PATH
    redis+sentinel://[USER:PASSWORD@]HOST[:26379],HOST[:26379].../NAME[/DATABASE], rediss+sentinel:// with TLS

Options follow a `?`: `OPTIONS`, with TLS also `TLS_OPTIONS`, and for Sentinels that have a password of their own
`sentinel_username` and `sentinel_password`.
"""

import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio.connection import parse_url

SENTINEL_PORT = 26379
# Of redis-py's connections. The later ones are accepted and have no effect: redis_link.py sets them.
OPTIONS = {"db", "username", "password", "client_name", "socket_timeout", "max_connections", "socket_keepalive"} | {
    "socket_connect_timeout", "health_check_interval", "retry_on_timeout", "protocol", "decode_responses",
}  # fmt: skip
TLS_OPTIONS = {
    "ssl_keyfile", "ssl_certfile", "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data",
    "ssl_check_hostname", "ssl_password", "ssl_ciphers",
}  # fmt: skip
SENTINEL_OPTIONS = {"sentinel_username", "sentinel_password"}


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
    try:
        port = parts.port
    except ValueError:  # its text may hold a part of the password
        raise ValueError(
            "its port is not a number up to 65535 (in a password / ? # @ must be percent-encoded)."
        ) from None
    if scheme != "unix":
        _check_database(parts.path)
    where = f"{parts.hostname or ''}{f':{port}' if port else ''}{parts.path}"
    return Target(_options(url, OPTIONS), where)


def _check_database(path: str) -> None:
    number = path.strip("/")
    if number and not (number.isascii() and number.isdigit()):
        raise ValueError(f"the database /{number[:20]} is not a number.")


def _options(url: str, allowed: set[str]) -> dict[str, Any]:
    """The arguments of a connection. Raises ValueError for an option that there is not, or a value out of range."""
    parts = urlsplit(url)
    if parts.scheme == "rediss":
        allowed = allowed | TLS_OPTIONS
    if unknown := parse_qs(parts.query, keep_blank_values=True).keys() - allowed:
        raise ValueError(
            f"there is no option {min(unknown)[:40]!r} here; there are {', '.join(sorted(allowed))}."
        )
    options: dict[str, Any] = dict(parse_url(url))
    if not 0 < options.get("socket_timeout", 1) < math.inf:
        raise ValueError("socket_timeout is not a number of seconds above 0.")
    if options.get("max_connections", 1) < 1:
        raise ValueError("max_connections is less than 1.")
    return options


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
    _check_database(database)
    url = f"{scheme}://{credentials}{at}sentinel/{database}?{query}"
    options = _options(url, OPTIONS | SENTINEL_OPTIONS)
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
