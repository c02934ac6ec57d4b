"""The load test with all that it needs: `make load`. Starts the service on a free port of this machine, with a store of
its own, runs locust against it, stops it, and ends with locust's status.

LOAD has options of locust: make load LOAD="-u 50 -t 5m Upload"; with --host no service is started.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
DEFAULTS = ["--headless", "-u", "10", "-r", "10", "-t", "60s"]  # 50 arrivals per second
CLASSES = ("Mixed", "Upload", "Crop")
START_SECONDS = 60.0


@contextmanager
def service() -> Iterator[str]:
    """The address of a service that runs during the block."""
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        own = {"PORT": str(port), "GAZECROP_DATA_DIR": folder, "GAZECROP_LOG_LEVEL": "warning"}
        environment = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "GAZECROP_API_KEY")}
        process = subprocess.Popen([sys.executable, "-m", "gazecrop", "serve"], env=environment | own)
        try:
            url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
            while not _ready(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("The service did not start.")
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait()


def _ready(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/readyz", timeout=2).close()
    except OSError:
        return False
    return True


def locust(options: Sequence[str]) -> int:
    mixture = [] if set(options) & set(CLASSES) else [CLASSES[0]]
    program = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *DEFAULTS, *options, *mixture]
    return subprocess.run(program).returncode


def main(options: Sequence[str]) -> int:
    if any(option in ("--help", "-h", "-H") or option.startswith("--host") for option in options):
        return locust(options)
    with service() as url:
        return locust(["--host", url, *options])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
