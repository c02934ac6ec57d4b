"""A container of an image that buildah built, run by crun as the manifests run it: read-only root, the image's user, no
capabilities, memory file systems for /data and /tmp. It shares the network of the machine, and listens on loopback."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CAPABILITIES = ("bounding", "effective", "inheritable", "permitted", "ambient")
NAMESPACES = ("pid", "ipc", "uts", "mount")
MOUNTS: list[dict[str, Any]] = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {
        "destination": "/dev",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "mode=755", "size=64k"],
    },
    {
        "destination": "/tmp",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "mode=1777", "size=64m"],
    },
    {
        "destination": "/data",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", "mode=775", "size=64m"],
    },
]


@dataclass
class Container:
    """`health`: the image's own HEALTHCHECK."""

    id: str
    crun: list[str]
    health: list[str]
    environment: list[str]
    user: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Of its first process, outside; 0 before it is made."""
        done = subprocess.run([*self.crun, "state", self.id], capture_output=True, text=True)
        return int(json.loads(done.stdout)["pid"]) if done.returncode == 0 else 0

    def run(self, *arguments: str) -> int:
        """The exit status of a further program inside."""
        variables = [word for variable in self.environment for word in ("--env", variable)]
        return subprocess.run(
            [*self.crun, "exec", f"--user={self.user}", *variables, self.id, *arguments],
            capture_output=True,
            timeout=60,
        ).returncode

    def signal(self, number: signal.Signals) -> None:
        subprocess.run([*self.crun, "kill", self.id, number.name], check=True, capture_output=True)


def _crun(state: Path) -> list[str]:
    """The beginning of its commands. It refuses a machine with both versions of control groups; there each command has
    a mount namespace of its own in which there is version 2 alone. It makes no control group either way."""
    crun = ["crun", f"--root={state}", "--cgroup-manager=disabled"]
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return crun
    return [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t cgroup2 none /sys/fs/cgroup && exec "$@"',
        "sh",
        *crun,
    ]


@contextmanager
def container(
    rootfs: Path, image: dict[str, Any], folder: Path, variables: dict[str, str]
) -> Iterator[Container]:
    """Runs the image's command. image: its configuration, as Docker has it."""
    folder.mkdir()
    uid = int(image["User"])
    environment = [*image["Env"], *(f"{name}={value}" for name, value in variables.items())]
    process = {
        "user": {"uid": uid, "gid": uid},
        "args": image["Cmd"],
        "env": environment,
        "cwd": image["WorkingDir"],
        "capabilities": {kind: [] for kind in CAPABILITIES},
        "noNewPrivileges": True,
    }
    owned = [f"uid={uid}", f"gid={uid}"]
    mounts = [
        mount | {"options": mount["options"] + owned} if mount["destination"] == "/data" else mount
        for mount in MOUNTS
    ]
    configuration = {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": str(rootfs), "readonly": True},
        "mounts": mounts,
        "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]},
    }
    (folder / "config.json").write_text(json.dumps(configuration))
    crun = _crun(folder / "state")
    name = f"gazecrop-{time.monotonic_ns()}"
    log = folder / "log"
    with log.open("wb") as out:
        started = subprocess.Popen(
            [*crun, "run", f"--bundle={folder}", name], stdout=out, stderr=subprocess.STDOUT
        )
    health = image["Healthcheck"]["Test"][1:]
    try:
        yield Container(name, crun, health, environment, f"{uid}:{uid}", started, log)
    finally:
        if started.poll() is None:
            subprocess.run([*crun, "kill", name, "KILL"], capture_output=True)
            started.wait(timeout=20)
        subprocess.run([*crun, "delete", "--force", name], capture_output=True)
