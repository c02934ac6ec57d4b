"""Redis under load: hung, a replica, restarted without its data, and a fail-over by Sentinels."""

import contextlib
import time

from tests.conftest import RedisServer, serving
from tests.faults.load import Load, recovery
from tests.faults.rows import Row, Trial, fault
from tests.helpers.redis_servers import sentinels

RECOVERY = 3.0  # seconds from when the store works again
BAR = f"0 5xx, 0 lost, recovery <= {RECOVERY:.0f} s"


def row(name: str, load: Load, recovered: list[float], lost: int) -> Row:
    longest = max(recovered)
    measured = f"{sum(load.answers.values())} answers, {load.failures}, {lost} lost"
    ok = load.errors == 0 and not load.broken and lost == 0 and longest <= RECOVERY
    return Row(name, BAR, f"{measured}, recovery {longest:.1f} s", ok)


@fault("redis")
def redis(trial: Trial) -> Row:
    pause = 0.5 if trial.short else 3.0
    server = RedisServer(trial.folder / "s")
    server.start()
    recovered = []
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        service = stack.enter_context(serving(trial.folder, {"REDIS_URL": server.url}))
        with Load(service.url) as load:
            load.run(pause)
            server.freeze()
            load.run(pause)
            server.thaw()
            recovered.append(recovery(service.url))
            replicate(server, "127.0.0.1 1")  # READONLY from now on
            load.run(pause)
            replicate(server, "NO ONE")
            recovered.append(recovery(service.url))
            server.stop()
            load.run(pause)
            server.start()  # without its data
            recovered.append(recovery(service.url))
            load.run(pause)
        return row("redis", load, recovered, load.lost())


def replicate(server: RedisServer, what: str) -> None:
    with contextlib.closing(server.connect()) as client:
        client.sendall(f"REPLICAOF {what}\r\n".encode())
        assert client.recv(5).startswith(b"+OK")


@fault("sentinel")
def sentinel(trial: Trial) -> Row:
    with contextlib.ExitStack() as stack:
        primary, replicas, watchers = sentinels(trial.folder, stack.callback)
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in watchers)
        url = f"redis+sentinel://{hosts}/name/0"
        service = stack.enter_context(serving(trial.folder, {"REDIS_URL": url}))
        with Load(service.url) as load:
            load.run(0.5 if trial.short else 3.0)
            primary.client.wait(len(replicas), 5000)
            primary.process.kill()
            primary.process.wait()

            def elected() -> bool:
                """The Sentinels name a replica, and it is the primary."""
                answers = [watcher.client.sentinel_get_master_addr_by_name("name") for watcher in watchers]
                named = {answer[1] for answer in answers if isinstance(answer, tuple)}
                return any(named == {one.port} and one.client.role()[0] == b"master" for one in replicas)

            watchers[0].until(elected, 60)
            began = time.monotonic()
            recovery(service.url)
            recovered = time.monotonic() - began
            load.run(0.5 if trial.short else 3.0)
        return row("sentinel", load, [recovered], load.lost())
