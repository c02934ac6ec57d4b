"""Draws docs/architecture.svg from the package's real imports.

    python -m docs.drawings.architecture         # writes the file; a test fails while it differs

One box for each room, layers from top to bottom. An arrow: the upper room imports the lower one. Arrows that follow
from others are left out (the transitive reduction): a room may import every room that its arrows lead to.
"""

from pathlib import Path

from docs.drawings.imports import LAYERS, PACKAGE, ROOT, arrows, room
from docs.drawings.svg import Box, document, line

FILE = ROOT / "docs" / "architecture.svg"
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 190, 50, 36, 44, 24
PURE = {"crop", "picture"}
SUMMARY = {
    "cli": "dispatches to commands and audit",
    "commands": "serve, crop, explain, batch, …",
    "audit": "fairness and stability studies",
    "console": "options, progress, sources",
    "app": "builds the parts, mounts routes",
    "integrations": "inside thumbor, Wagtail, …",
    "http": "protocol, front, keys, routes",
    "parts": "what a running server consists of",
    "client": "Client, AsyncClient over HTTP",
    "python_api": "import gazecrop: look()",
    "engine": "network, store and limits, as one",
    "jobs": "jobs of the worker, bucket events",
    "pipeline": "an upload and a crop, step by step",
    "model": "the ONNX Runtime session",
    "store": "memory, SQLite, Redis, inbox",
    "crop": "map → points, boxes (pure)",
    "picture": "file → pixels, and back (pure)",
    "concurrency": "gate, batcher, single flight",
    "errors": "the tree of errors",
    "machine": "cores and memory of the machine",
    "settings": "every GAZECROP_* variable",
    "metrics": "Prometheus, stage times",
    "shared_metrics": "the metrics of several processes as one",
    "sources": "pictures by URL, checked addresses",
    "keys": "API keys, constant time",
}


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the arrows that a longer way replaces. The graph has no circles."""

    def reachable(name: str) -> set[str]:
        return set().union(*({used} | reachable(used) for used in graph.get(name, ())))

    return {
        name: {used for used in uses if not any(used in reachable(other) for other in uses - {used})}
        for name, uses in graph.items()
    }


def draw() -> str:
    """The SVG document."""
    graph = arrows() | {"cli": {"commands", "audit"}}  # the dispatcher imports both by name
    folders = {room(name) for name in PACKAGE if name.count(".") > 1}
    rows = [[name for name in names.split() if name != "__main__"] for names in reversed(LAYERS)]
    rows = [row for row in rows if row]
    widest = max(len(row) for row in rows)
    full = widest * WIDTH + (widest - 1) * GAP_X + 2 * MARGIN
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows):
        left = (full - len(row) * WIDTH - (len(row) - 1) * GAP_X) / 2
        for place, name in enumerate(row):
            title = f"{name}/" if name in folders else f"{name}.py"
            x, y = left + place * (WIDTH + GAP_X), MARGIN + number * (HEIGHT + GAP_Y)
            boxes[name] = Box(x, y, WIDTH, HEIGHT, title, SUMMARY[name], name in PURE)
    lines = [
        line(boxes[user], boxes[used])
        for user, uses in sorted(reduced(graph).items())
        for used in sorted(uses)
        if user in boxes and used in boxes
    ]
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * GAP_Y
    return document(full, height, [*lines, *(box.svg() for box in boxes.values())])


def main(file: Path = FILE) -> None:
    file.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
