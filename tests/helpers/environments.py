"""Virtual environments of other systems, made once under the checkout: `.venv-NAME`, which git ignores.

The other system has an exact version. Gazecrop is beside it in the versions of its lock, or not at all.
"""

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.shipping import ROOT

PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOCKED = ("--require-hashes", "-r", "requirements.lock", "-r", "requirements-build.lock")
EDITABLE = ("--no-deps", "--no-build-isolation", "--editable", ".")


def python_environment(name: str, *packages: str) -> Path:
    """The environment's `bin`. The lock is installed last, as Gazecrop needs its versions: thumbor states an older
    Pillow, and runs with this one."""
    lock = (ROOT / "requirements.lock").read_bytes()
    return _python(name, lock, [packages, LOCKED, EDITABLE])


def python_environment_apart(name: str, *packages: str) -> Path:
    """The environment's `bin`, without Gazecrop: for servers and for clients that speak to it over HTTP alone."""
    return _python(name, b"", [packages])


def _python(name: str, lock: bytes, steps: Sequence[tuple[str, ...]]) -> Path:
    folder = ROOT / f".venv-{name}"
    wanted = hashlib.sha256(b"\0".join([lock, *(each.encode() for each in steps[0])])).hexdigest()
    stamp = folder / "stamp"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _run(sys.executable, "-m", "venv", "--clear", str(folder / "python"))
            python = str(folder / "python" / "bin" / "python")
            for step in steps:
                _run(python, *PIP, *step)
            stamp.write_text(wanted)
    return folder / "python" / "bin"


def node_environment(name: str, *packages: str) -> Path:
    """A folder with `node_modules`; the packages have exact versions."""
    folder = ROOT / f".venv-{name}"
    folder.mkdir(exist_ok=True)
    stamp = folder / "stamp"
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != "\n".join(packages):
            (folder / "package.json").write_text('{"private": true, "type": "module"}')
            _run("npm", "install", "--silent", "--no-audit", "--no-fund", *packages, cwd=folder)
            stamp.write_text("\n".join(packages))
    return folder


def _run(*program: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(program, cwd=cwd, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
