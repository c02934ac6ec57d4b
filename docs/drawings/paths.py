"""Draws docs/upload.svg and docs/crop.svg: the path of an upload and of a GET through the server.

    python -m docs.drawings.paths                # writes both; a test fails while they differ

Every box names the file that does the step; a test checks that the file exists.
"""

from docs.drawings.imports import ROOT
from docs.drawings.svg import Box, document, line

WIDTH, HEIGHT, GAP, MARGIN, COLUMNS = 170, 50, 34, 20, 5
# (the step, the file below service/gazecrop/ that does it). The steps that touch pixels or the network are strong.
UPLOAD = [
    ("head and limits", "http/protocol.py"),
    ("refuse if full", "http/shedding.py"),
    ("key, body budget", "http/front.py"),
    ("read and hash the body", "http/body.py"),
    ("known? then answer", "store/memory.py"),
    ("one inference per id", "concurrency/flight.py"),
    ("wait for pixels", "concurrency/gate.py"),
    ("decode scaled, upright", "picture/decode.py"),
    ("batch what waits", "concurrency/batcher.py"),
    ("run the network", "model.py"),
    ("density to integers", "crop/grid.py"),
    ("keep the map", "store/sqlite.py"),
    ("place boxes", "crop/cropping.py"),
    ("JSON document", "crop/answers.py"),
]
CROP = [
    ("head and limits", "http/protocol.py"),
    ("key, parameters", "http/front.py"),
    ("map in memory?", "store/memory.py"),
    ("else from the store", "store/sqlite.py"),
    ("place the box", "crop/cropping.py"),
    ("JSON, ETag", "crop/answer_bytes.py"),
]
STRONG = {"picture/decode.py", "model.py"}


def draw(steps: list[tuple[str, str]]) -> str:
    """Boxes in rows of `COLUMNS`, read like text; the SVG document."""
    boxes = []
    for number, (text, file) in enumerate(steps):
        row, column = divmod(number, COLUMNS)
        x, y = MARGIN + column * (WIDTH + GAP), MARGIN + row * (HEIGHT + GAP)
        boxes.append(Box(x, y, WIDTH, HEIGHT, text, file, file in STRONG))
    rows = -(-len(steps) // COLUMNS)
    width = 2 * MARGIN + COLUMNS * WIDTH + (COLUMNS - 1) * GAP
    height = 2 * MARGIN + rows * HEIGHT + (rows - 1) * GAP
    lines = [line(first, second) for first, second in zip(boxes, boxes[1:], strict=False)]
    return document(width, height, [*lines, *(box.svg() for box in boxes)])


FILES = {ROOT / "docs" / "upload.svg": UPLOAD, ROOT / "docs" / "crop.svg": CROP}


def main() -> None:
    for file, steps in FILES.items():
        file.write_text(draw(steps), encoding="utf-8")


if __name__ == "__main__":
    main()
