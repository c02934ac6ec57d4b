"""redis-servers on TCP ports that replicate each other, Sentinels, and a proxy that is switched between them."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.conftest import command, free_port


class Node:
    """A process on a port of its own, ready when the constructor returns."""

    def __init__(self, folder: Path, *options: str, sentinel_of: "Node | None" = None) -> None:
        self.port = free_port()
        self.client = Redis(
            port=self.port, socket_timeout=5, protocol=2
        )  # 3 needs HELLO, which a test may take away
        folder.mkdir(exist_ok=True)
        program = [command("redis-server")]
        if sentinel_of is not None:
            file = folder / f"sentinel-{self.port}.conf"  # a Sentinel rewrites it
            file.write_text(
                f"port {self.port}\nsentinel monitor name 127.0.0.1 {sentinel_of.port} 2\n"
                "sentinel down-after-milliseconds name 500\nsentinel failover-timeout name 3000\n"
            )
            program += [str(file), "--sentinel"]
        else:
            program += ["--port", str(self.port), "--save", "", "--appendonly", "no"]
            program += ["--repl-diskless-sync-delay", "0"]
        program += ["--dir", str(folder), "--bind", "127.0.0.1", *options]
        self.process = subprocess.Popen(program, stdout=subprocess.DEVNULL)
        try:
            self.until(self.client.ping)
        except BaseException:
            self.stop()
            raise

    def until(self, holds: object, seconds: float = 20) -> None:
        """Polls until `holds()` is true; the server may not answer yet."""
        assert callable(holds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(RedisError, OSError):
                if holds():
                    return
            time.sleep(0.02)
        raise AssertionError(f"not true within {seconds} s")

    def follow(self, primary: "Node") -> None:
        """Replicates it; returns when the first copy is complete."""
        self.client.replicaof("127.0.0.1", str(primary.port))
        self.until(lambda: self.client.info("replication")["master_link_status"] == "up")

    def lead(self) -> None:
        self.client.replicaof("NO", "ONE")

    def stop(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


def sentinels(
    folder: Path, at_end: Callable[[Callable[[], object]], object]
) -> tuple[Node, list[Node], list[Node]]:
    """A primary, its two replicas and three Sentinels that watch it as `name`. `at_end` gets what stops each."""

    def start(*options: str, of: Node | None = None) -> Node:
        node = Node(folder / f"node-{time.monotonic_ns()}", *options, sentinel_of=of)
        at_end(node.stop)
        return node

    primary = start()
    replicas = [start(), start()]
    for replica in replicas:
        replica.follow(primary)
    watchers = [start(of=primary) for _ in range(3)]

    def sees_all(state: dict[str, int]) -> bool:
        return (state["num-slaves"], state["num-other-sentinels"]) == (2, 2)

    for watcher in watchers:
        watcher.until(lambda client=watcher.client: sees_all(client.sentinel_master("name")))
    return primary, replicas, watchers


class Proxy:
    """Forwards each new connection to `target`; open connections stay with the server they have."""

    def __init__(self, target: Node) -> None:
        self.target = target
        self.port = free_port()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The URL."""
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target.port)
            for ends in ((reader, there_writer), (there_reader, writer)):
                task = asyncio.create_task(_pipe(*ends))
                tasks.add(task)

        server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        try:
            yield f"redis://127.0.0.1:{self.port}/0?socket_timeout=1"
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
