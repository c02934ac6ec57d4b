"""REDIS_URL: what is accepted, and what is refused with a reason."""

from typing import Any

import pytest
from redis.asyncio.connection import SSLConnection

from gazecrop.errors import StoreAway
from gazecrop.store.redis import RedisStore
from gazecrop.store.redis_url import parse


def test_one_redis() -> None:
    target = parse("redis://user:secret@host:7000/3?socket_timeout=0.2")
    assert target.options == {
        "username": "user", "password": "secret", "host": "host", "port": 7000, "db": 3, "socket_timeout": 0.2
    }  # fmt: skip
    assert (target.where, target.sentinels) == ("host:7000/3", ())


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("one", [("one", 26379)]),
        ("one:1,two:2,three", [("one", 1), ("two", 2), ("three", 26379)]),
        ("[::1]:7,10.0.0.1", [("::1", 7), ("10.0.0.1", 26379)]),
    ],
)
def test_sentinels(hosts: str, expected: list[tuple[str, int]]) -> None:
    target = parse(f"redis+sentinel://user:p%40ss@{hosts}/my%2Dprimary/2?max_connections=4")
    assert target.sentinels == tuple(expected)
    assert target.service == "my-primary"
    assert target.where == f"{hosts}/my%2Dprimary/2"
    options: dict[str, Any] = target.options
    assert (options["username"], options["password"], options["db"]) == ("user", "p@ss", 2)
    assert options["max_connections"] == 4 and target.sentinel_options == {}


def test_sentinels_with_a_password_of_their_own_and_tls() -> None:
    url = "rediss+sentinel://:secret@one/name?sentinel_username=s&sentinel_password=t&ssl_ca_certs=ca.pem"
    target = parse(url)
    assert target.sentinel_options == {
        "username": "s",
        "password": "t",
        "ssl": True,
        "ssl_ca_certs": "ca.pem",
    }
    assert target.options["connection_class"] is SSLConnection
    assert target.options["password"] == "secret" and "db" not in target.options


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis+cluster://:secret@one:1", "Cluster is not supported.*redis\\+sentinel"),
        ("rediss+cluster://:secret@one:1", "Cluster is not supported"),
        ("redis+sentinel://:secret@one:1", "NAME-OF-THE-PRIMARY"),
        ("redis+sentinel://:secret@/name", "NAME-OF-THE-PRIMARY"),
        ("redis+sentinel://:secret@one:port/name", "REDIS_URL is not usable"),
        ("http://:secret@one:1", "one of the following schemes"),
        ("redis://:secret@one:1?max_connections=many", "max_connections"),
        ("redis://:secret@one:1?max_connections=0", "max_connections"),
        ("redis://:secret@one:1?socket_timeout=0", "socket_timeout"),
        ("redis://:secret@one:1?socket_timeout=inf", "socket_timeout"),
        ("redis://:secret@one:1?socket_timeuot=1", "no option 'socket_timeuot'"),
        ("redis://:secret@one:1?ssl_ca_certs=x", "no option 'ssl_ca_certs'"),
        ("redis://:secret@one:1?retry=3", "no option 'retry'"),
        ("unix://:secret@/s?nope=", "no option 'nope'"),
        ("redis+sentinel://:secret@one/name?service=x", "no option 'service'"),
        ("redis://:secret@one:1/zz", "database /zz is not a number"),
        ("redis://:secret@one:1/-1", "not a number"),
        ("redis+sentinel://:secret@one/name/zz", "database /zz is not a number"),
        ("redis://:a/secret@one:1", "percent-encoded"),
    ],
)
def test_what_is_not_usable_is_refused_without_the_password(url: str, words: str) -> None:
    with pytest.raises(StoreAway, match=words) as refused:
        RedisStore(url, map_days=1, max_focus=1)
    assert "REDIS_URL" in str(refused.value) and "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["redis://one", "redis://one/", "redis://one/0", "rediss://one/3?ssl_cert_reqs=none"]
)
def test_usual_forms(url: str) -> None:
    assert parse(url).options.get("db", 0) in (0, 3)
