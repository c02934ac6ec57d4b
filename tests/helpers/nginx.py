"""A real nginx, with the shipped configuration or another."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.conftest import command
from tests.helpers.shipping import text


def shipped(port: int, servers: Sequence[str]) -> str:
    """What is inside `http { }` of docker/nginx.conf, for this port and these servers' URLs, two or more."""
    conf = text("docker/nginx.conf")
    inside = conf[conf.index("http {") + len("http {") : conf.rindex("}")].replace("access_log off;", "")
    first, *others = (url.removeprefix("http://") for url in servers)
    more = next(line.strip() for line in inside.splitlines() if "server gazecrop-more:8000" in line)
    for written, used in (
        ("server gazecrop:8000", f"server {first}"),
        (more, " ".join(more.replace("gazecrop-more:8000", other) for other in others)),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
    ):
        assert inside.count(written) == 1
        inside = inside.replace(written, used)
    return inside


@contextmanager
def nginx(http: str, folder: Path) -> Iterator[None]:
    """Runs until the block ends. http: what is inside `http { }`."""
    (folder / "cache").mkdir()
    folders = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}{http}\n}}\n"
    )
    program = [
        command("nginx", "/usr/sbin/nginx"),
        "-e",
        str(folder / "error.log"),
        "-c",
        str(folder / "nginx.conf"),
    ]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=10)
        assert process.returncode == 0, out + (folder / "error.log").read_text()


def answers(url: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
