"""Redis in all its failures: refused, hung, killed, full, read-only, loading, holding foreign values."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gazecrop.errors import ImageNotFound, StoreAway, StoreFull
from gazecrop.store import redis_link
from gazecrop.store.base import Condition, Entry, Record, Report
from gazecrop.store.breaker import Breaker
from gazecrop.store.redis import RedisStore
from tests.conftest import RedisServer, command, free_port
from tests.helpers.clock import Clock

pytestmark = pytest.mark.redis

A, B = "a" * 32, "b" * 32
RECORD = Record("gaze-0", "jpeg", b"GC1code")
ANY = Condition()

OpenStore = Callable[..., RedisStore]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may keep this very process waiting for more than the second of the default."""
    monkeypatch.setattr(redis_link, "WAIT_FOR_CONNECTION", 20.0)


@pytest.fixture
async def open_store(clock: Clock) -> AsyncIterator[OpenStore]:
    opened: list[RedisStore] = []

    def open_one(url: str, max_focus: int = 10) -> RedisStore:
        opened.append(RedisStore(url, map_days=30, max_focus=max_focus, clock=clock))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
def store(open_store: OpenStore, redis_server: RedisServer) -> RedisStore:
    # A busy machine may keep a Redis that is well from answering for more than the 50 ms of the default.
    return open_store(f"{redis_server.url}?socket_timeout=0.5")


async def everything_is_away(store: RedisStore) -> None:
    """No call may return a result, least of all a change."""
    calls = [
        store.get(A),
        store.put(A, RECORD),
        store.delete(A),
        store.get_focus(A),
        store.set_focus(A, 0.5, 0.5, ANY),
        store.delete_focus(A, ANY),
        store.id_key(),
        store.ping(),
        store.check(),
    ]
    for call in calls:
        with pytest.raises(StoreAway) as away:
            await call
        assert away.value.headers["Retry-After"] == "2"
        assert "Redis" not in away.value.detail, "internals in the public text"


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
async def test_no_server(open_store: OpenStore, tmp_path: Path, scheme: str) -> None:
    place = str(tmp_path / "absent") if scheme == "unix" else f"127.0.0.1:{free_port()}/0"
    async with asyncio.timeout(5):  # ten calls with the client's own retries take 30 s
        await everything_is_away(open_store(f"{scheme}://{place}"))


async def test_a_password_stays_out_of_the_log(open_store: OpenStore) -> None:
    with pytest.raises(StoreAway) as away:
        await open_store(f"redis://name:secret@127.0.0.1:{free_port()}/0").get(A)
    assert "127.0.0.1" in str(away.value) and "secret" not in str(away.value)


async def test_a_hung_server_is_called_five_times_then_once_every_pause(
    open_store: OpenStore, clock: Clock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def connections() -> int:
            accepted = 0
            while True:
                try:
                    server.accept()[0].close()
                    accepted += 1
                except BlockingIOError:
                    return accepted

        store = open_store(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        await everything_is_away(store)
        assert connections() == 5
        await everything_is_away(store)
        assert connections() == 0
        clock.now += 2.1
        await asyncio.gather(*(store.get(A) for _ in range(10)), return_exceptions=True)
        assert connections() == 1, "one probe, however many ask"
        await everything_is_away(store)
        assert connections() == 0


async def test_a_server_that_hung_is_used_again(
    store: RedisStore, redis_server: RedisServer, clock: Clock
) -> None:
    await store.put(A, RECORD)
    redis_server.freeze()
    await everything_is_away(store)
    redis_server.thaw()
    await everything_is_away(store)  # the pause is not over
    clock.now += 2.1
    await store.put(A, RECORD)
    assert await store.get(A) == Entry(RECORD, None)


async def test_the_id_key_is_waited_for(store: RedisStore, redis_server: RedisServer) -> None:
    """It is read once, at the start, which a slow Redis must not prevent."""
    redis_server.freeze()
    pending = asyncio.create_task(store.id_key())
    await asyncio.sleep(0.3)
    assert not pending.done()
    redis_server.thaw()
    assert len(await pending) == 32


async def test_a_server_that_was_killed_is_used_again(
    store: RedisStore, redis_server: RedisServer, clock: Clock
) -> None:
    await asyncio.gather(*(store.put(A, RECORD) for _ in range(40)))  # so that the pool holds old connections
    redis_server.stop()
    await everything_is_away(store)
    redis_server.start()
    clock.now += 2.1
    assert await store.get(A) is None  # this server keeps nothing
    await asyncio.gather(*(store.put(A, RECORD) for _ in range(40)))
    assert await store.get(A) == Entry(RECORD, None)


async def test_killed_in_the_middle_of_calls(
    store: RedisStore, redis_server: RedisServer, clock: Clock
) -> None:
    async def one(number: int) -> bool:
        try:
            await store.put(f"{number:032x}", RECORD)
            return True
        except StoreAway:
            return False

    calls = [asyncio.create_task(one(number)) for number in range(200)]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)  # 16 are under way, the others wait
    redis_server.stop()
    answers = await asyncio.gather(*calls)
    assert not answers[-1]
    redis_server.start()
    clock.now += 2.1
    assert await one(0)


async def test_a_blocked_event_loop_causes_no_timeout(
    open_store: OpenStore, redis_server: RedisServer
) -> None:
    """A block longer than the timeout of a call, while calls are in progress."""
    store = open_store(f"{redis_server.url}?socket_timeout=0.25")
    await store.put(A, RECORD)
    holding = True

    async def hold() -> None:
        nonlocal holding
        for _ in range(3):
            await asyncio.sleep(0.005)
            time.sleep(0.4)
        holding = False

    async def read() -> None:
        while holding:
            assert await store.get(A)

    async with asyncio.TaskGroup() as together:  # a failure cancels the others
        for work in (hold(), *(read() for _ in range(8))):
            together.create_task(work)


async def test_more_calls_than_connections_wait_for_their_turn(
    open_store: OpenStore, redis_server: RedisServer, raw: Redis
) -> None:
    store = open_store(f"{redis_server.url}?max_connections=2&socket_timeout=0.5")
    answers = await asyncio.gather(*(store.put(f"{number:032x}", RECORD) for number in range(300)))
    assert len(answers) == 300
    assert len(await raw.client_list()) == 2 + 1


async def test_values_of_another_kind_are_a_miss(store: RedisStore, raw: Redis) -> None:
    for value in (b"", b"nospaces", b"\xff\xfe jpeg code"):
        await raw.set(f"gazecrop:map:{A}", value)
        assert await store.get(A) is None
    await store.put(A, RECORD)
    for value in (b"", b"short", b"x" * 24):  # the last one: a point far outside the picture
        await raw.set(f"gazecrop:focus:{A}", value)
        assert await store.get(A) == Entry(RECORD, None)
        assert await store.get_focus(A) is None
    await raw.delete(f"gazecrop:map:{A}", f"gazecrop:focus:{A}")
    await raw.lpush(f"gazecrop:map:{A}", "a list")
    await raw.lpush(f"gazecrop:focus:{A}", "a list")
    assert await store.get(A) is None
    assert await store.get_focus(A) is None
    assert not await store.delete_focus(A, ANY)
    await raw.lpush(f"gazecrop:focus:{A}", "a list")
    assert await store.put(A, RECORD) == Entry(RECORD, None)
    focus, created = await store.set_focus(A, 0.5, 0.5, Condition(absent=True))
    assert created and await store.get(A) == Entry(RECORD, focus)


async def test_a_foreign_index_of_focal_points_fails_the_change(store: RedisStore, raw: Redis) -> None:
    await store.put(A, RECORD)
    await raw.set("gazecrop:focuses", "not a set")
    with pytest.raises(StoreAway, match="refused"):
        await store.set_focus(A, 0.5, 0.5, ANY)
    assert await store.get(A) == Entry(RECORD, None)


async def test_a_foreign_id_key_is_reported(store: RedisStore, raw: Redis) -> None:
    await raw.set("gazecrop:id_key", "short")
    with pytest.raises(StoreAway, match="gazecrop:id_key"):
        await store.id_key()
    assert await raw.get("gazecrop:id_key") == b"short"


async def test_only_maps_expire(store: RedisStore, raw: Redis) -> None:
    await store.id_key()
    await store.put(A, RECORD)
    await store.set_focus(A, 0.5, 0.5, ANY)
    lives = {str(key, "ascii"): await raw.ttl(key) for key in await raw.keys()}  # type: ignore[arg-type]
    assert 30 * 86400 - 10 < lives.pop(f"gazecrop:map:{A}") <= 30 * 86400
    assert lives == dict.fromkeys(["gazecrop:id_key", f"gazecrop:focus:{A}", "gazecrop:focuses"], -1)


async def test_deleting_leaves_a_tombstone_alone(store: RedisStore, raw: Redis) -> None:
    await store.put(A, RECORD)
    await store.set_focus(A, 0.5, 0.5, ANY)
    await store.delete(A)
    (tombstone,) = await raw.keys()
    assert tombstone == f"gazecrop:gone:{A}".encode() and await raw.get(tombstone) == b"all"
    assert 3600 < await raw.ttl(tombstone) <= 3660


async def test_invented_long_ids_leave_no_tombstone(store: RedisStore, raw: Redis) -> None:
    await store.delete("x" * 10_000)
    assert not await store.delete_focus("x" * 10_000, ANY)
    assert await raw.keys() == []


async def test_eviction_takes_maps_and_no_focus(
    open_store: OpenStore, redis_server: RedisServer, raw: Redis
) -> None:
    store = open_store(f"{redis_server.url}?socket_timeout=2")
    key = await store.id_key()
    await store.put(A, RECORD)
    focus, _ = await store.set_focus(A, 0.5, 0.5, ANY)
    used = (await raw.info("memory"))["used_memory"]
    await raw.config_set("maxmemory-policy", "volatile-lru")
    await raw.config_set("maxmemory", used + 1_000_000)
    for start in range(0, 3000, 100):
        large = Record("gaze-0", "jpeg", bytes(1000))
        await asyncio.gather(*(store.put(f"{number:032x}", large) for number in range(start, start + 100)))
    assert await raw.dbsize() < 2900, "nothing was evicted"
    assert await store.get_focus(A) == focus
    assert await store.id_key() == key


async def test_out_of_memory_refuses_changes_and_still_reads(store: RedisStore, raw: Redis) -> None:
    await store.put(A, RECORD)
    await raw.config_set("maxmemory", 1)
    for _ in range(10):  # more than the breaker's five
        with pytest.raises(StoreAway, match="refused.*memory"):
            await store.put(B, RECORD)
        with pytest.raises(StoreAway, match="refused.*memory"):
            await store.set_focus(A, 0.5, 0.5, ANY)
        assert await store.get(A) == Entry(RECORD, None)
    await store.delete(A)  # what frees memory is not refused
    assert await store.get(A) is None
    await raw.config_set("maxmemory", 0)
    await store.put(B, RECORD)


async def test_a_refusal_is_reported_without_the_data(store: RedisStore, raw: Redis) -> None:
    """redis-py quotes the command of a pipeline that failed, Redis the arguments of one that it does not know."""
    code = Record("gaze-0", "jpeg", b"GC1\xff\x00\x01secret")
    await raw.config_set("maxmemory", 1)
    with pytest.raises(StoreAway) as refused:
        await store.put(A, code)
    assert "refused: command not allowed when used memory" in str(refused.value)
    await raw.config_set("maxmemory", 0)
    with pytest.raises(StoreAway) as unknown:
        await store._link.run(lambda: store._client.execute_command("SETT", code.pack()))  # type: ignore[no-untyped-call]
    assert "unknown command 'SETT'" in str(unknown.value)
    for error in (refused, unknown):
        text = str(error.value)
        assert text.isprintable() and "secret" not in text and "gaze-0" not in text and A not in text


async def test_out_of_memory_a_deletion_forgets_pictures_in_reports(store: RedisStore, raw: Redis) -> None:
    report = Report({"id": A, "picture": "one"}, b"picture")
    await store.add_report(report)
    await raw.config_set("maxmemory", 1)
    with pytest.raises(StoreFull, match="refused.*memory"):
        await store.add_report(report)
    await store.delete(A)
    assert [found.picture async for found in store.reports()] == [None]
    await raw.config_set("maxmemory", 0)
    (document,) = await raw.lrange("gazecrop:reports", 0, -1)
    assert int(await raw.get("gazecrop:report-bytes")) == len(document)  # type: ignore[arg-type]


async def test_foreign_values_in_the_place_of_reports(store: RedisStore, raw: Redis) -> None:
    await raw.set(f"gazecrop:report-pictures:{A}", "foreign")
    await store.delete(A)
    await raw.rpush("gazecrop:reports", "{", "7")
    await store.add_report(Report({"id": B}, None))
    assert [found.document async for found in store.reports()] == [{"id": B}]


async def test_a_replica_refuses_changes_and_still_reads(store: RedisStore, raw: Redis) -> None:
    await store.put(A, RECORD)
    await raw.replicaof("127.0.0.1", str(free_port()))
    for call in (store.put(B, RECORD), store.delete(A), store.set_focus(A, 0.5, 0.5, ANY)):
        with pytest.raises(StoreAway, match="refused.*read only"):
            await call
    assert await store.get(A) == Entry(RECORD, None)
    assert any("replica" in problem for problem in await store.check())


async def test_a_server_that_is_loading(
    open_store: OpenStore, redis_server: RedisServer, raw: Redis, clock: Clock
) -> None:
    store = open_store(redis_server.url)
    await store.put(A, RECORD)
    for number in range(300):
        await raw.set(f"other:{number}", bytes(2000))
    await raw.aclose()
    await raw.save()
    folder, path = redis_server.path.parent, redis_server.path
    redis_server.stop()
    slow = ["--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024"]
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder), *slow]
    process = subprocess.Popen([command("redis-server"), *options], stdout=subprocess.DEVNULL)
    redis_server.process = process  # stopped with the fixture
    seen = ""
    for _ in range(500):
        clock.now += 2.1
        try:
            entry = await store.get(A)
            break
        except StoreAway as away:
            seen += str(away)
            await asyncio.sleep(0.02)
    assert "loading" in seen
    assert entry == Entry(RECORD, None)


async def test_a_password_that_is_missing(
    open_store: OpenStore, redis_server: RedisServer, raw: Redis
) -> None:
    await raw.config_set("requirepass", "secret")
    with pytest.raises(StoreAway, match="[Aa]uthentication"):
        await open_store(redis_server.url).get(A)
    store = open_store(f"unix://:secret@{redis_server.path}")
    await store.put(A, RECORD)
    assert await store.get(A) == Entry(RECORD, None)


@pytest.fixture
def tls(tmp_path: Path) -> list[str]:
    """Options of a redis-server, and of a Sentinel, with a certificate for localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed here")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *made, *named], check=True, capture_output=True)
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    return ["--port", "0", "--bind", "127.0.0.1", "--tls-ca-cert-file", str(certificate), *files]


@contextlib.contextmanager
def serving_tls(*options: str, ready: str) -> Iterator[None]:
    with subprocess.Popen([command("redis-server"), *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        started = any(ready in line for line in server.stdout)
        try:
            if not started:
                pytest.skip("this redis-server was built without TLS")
            yield
        finally:
            server.kill()


async def test_over_tls(open_store: OpenStore, tmp_path: Path, tls: list[str]) -> None:
    port = free_port()
    with serving_tls("--tls-port", str(port), "--save", "", *tls, ready="eady to accept"):
        url = f"rediss://localhost:{port}/0?socket_timeout=2"
        store = open_store(f"{url}&ssl_ca_certs={tmp_path / 'cert.pem'}")
        await store.put(A, RECORD)
        assert await store.get(A) == Entry(RECORD, None)
        with pytest.raises(StoreAway, match="certificate"):
            await open_store(url).get(A)  # its certificate is not signed by a trusted authority


async def test_sentinels_over_tls(open_store: OpenStore, tmp_path: Path, tls: list[str]) -> None:
    port, sentinel = free_port(), free_port()
    file = tmp_path / "sentinel.conf"
    file.write_text(
        "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\ntls-replication yes\n"
        f"sentinel monitor name localhost {port} 1\n"
    )
    own = [str(file), "--sentinel", "--tls-port", str(sentinel), "--dir", str(tmp_path)]
    with (
        serving_tls("--tls-port", str(port), "--save", "", *tls, ready="eady to accept"),
        serving_tls(*own, *tls, ready="+monitor master name"),
    ):
        url = f"rediss+sentinel://localhost:{sentinel}/name/0?socket_timeout=5"
        store = open_store(f"{url}&ssl_ca_certs={tmp_path / 'cert.pem'}")
        await store.put(A, RECORD)
        assert await store.get(A) == Entry(RECORD, None)
        with pytest.raises(StoreAway, match="cannot be reached"):
            await open_store(url).get(A)


async def test_check_names_settings_that_lose_focal_points(store: RedisStore, raw: Redis) -> None:
    [problem] = await store.check()
    assert "appendonly" in problem
    await raw.config_set("appendonly", "yes")
    [problem] = await store.check()
    assert "appendfsync" in problem
    await raw.config_set("appendfsync", "always")
    assert await store.check() == []
    await raw.config_set("maxmemory-policy", "allkeys-lru")
    [problem] = await store.check()
    assert "allkeys-lru" in problem and "volatile-lru" in problem
    await raw.config_set("maxmemory-policy", "noeviction")
    await raw.config_set("maxmemory", 100_000_000)
    [problem] = await store.check()
    assert "noeviction" in problem
    await raw.config_set("maxmemory-policy", "volatile-lfu")
    assert await store.check() == []


async def test_the_shipped_configuration_passes_the_check(open_store: OpenStore, tmp_path: Path) -> None:
    path = tmp_path / "s"
    shipped = Path(__file__).parents[2] / "docker" / "redis.conf"
    options = [str(shipped), "--port", "0", "--unixsocket", str(path), "--dir", str(tmp_path)]
    with subprocess.Popen([command("redis-server"), *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            assert any("eady to accept" in line for line in server.stdout)
            assert await open_store(f"unix://{path}").check() == []
        finally:
            server.kill()


async def test_check_where_config_is_forbidden(
    open_store: OpenStore, redis_server: RedisServer, raw: Redis
) -> None:
    await raw.config_set("maxmemory-policy", "allkeys-random")
    await raw.config_set("appendonly", "yes")
    rights = ["+@all", "-config"]
    await raw.acl_setuser("hosted", enabled=True, passwords=["+p"], keys=["*"], commands=rights)
    [problem] = await open_store(f"unix://hosted:p@{redis_server.path}").check()
    assert "allkeys-random" in problem


async def test_an_id_that_is_only_focus_is_known(store: RedisStore, raw: Redis) -> None:
    """The map has expired, the focus has not."""
    await store.put(A, RECORD)
    await store.set_focus(A, 0.5, 0.5, ANY)
    await raw.delete(f"gazecrop:map:{A}")
    assert await store.get(A) is None
    focus, created = await store.set_focus(A, 0.6, 0.6, ANY)
    assert not created
    assert await store.put(A, RECORD) == Entry(RECORD, focus)
    await store.delete_focus(A, ANY)
    await raw.delete(f"gazecrop:map:{A}")
    with pytest.raises(ImageNotFound):
        await store.set_focus(A, 0.6, 0.6, ANY)


def test_the_breaker_counts_failures_in_a_row(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    for _ in range(3):
        for _ in range(4):
            breaker.failed()
        breaker.succeeded()
    assert breaker.allows()
    for _ in range(5):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()


def test_the_breaker_lets_one_call_probe(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    for _ in range(5):
        breaker.failed()
    clock.now += 1.9
    assert not breaker.allows()
    clock.now += 0.2
    assert breaker.allows() and not breaker.allows()
    breaker.undecided()  # its client left: another may probe
    assert breaker.allows() and not breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    clock.now += 2.1
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows() and breaker.allows()
