"""A small library of pictures on the disk: in folders, two of them unreadable, one flat."""

import tarfile
from pathlib import Path

from PIL import Image

from tests.helpers.pictures import draw, encode, jpeg


def make(folder: Path, count: int = 12) -> list[str]:
    """Names of all pictures in order."""
    files = {
        f"{'a' if i % 2 else 'a/b'}/{i:03}.jpg": encode(
            draw(320 + i, 240, (0.2 + 0.6 * i / count, 0.5), seed=i), "JPEG"
        )
        for i in range(count)
    }
    files["cut.jpg"] = jpeg()[:3000]
    files["empty.jpg"] = b""
    files["flat.png"] = encode(Image.new("RGB", (64, 48), "teal"), "PNG")
    files["sign.png"] = encode(draw(200, 300, (0.5, 0.2)), "PNG")
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_bytes(b"")
    return sorted(files)


def pack(folder: Path, archive: Path) -> None:
    """A tar as WebDataset's: pictures with side-cars of the same stem."""
    with tarfile.open(archive, "w") as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                tar.add(path, path.relative_to(folder).as_posix())


UNREADABLE = ["cut.jpg", "empty.jpg"]
