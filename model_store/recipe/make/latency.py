"""The time of each layer in ONNX Runtime, for pruning by time instead of multiply-adds. Seconds.

    python -m model_store.recipe.make.latency --name=gaze-2      # of a checkpoint, as fp32 and int8

Multiply-adds are not time: of gaze-2 in int8, the stem and the first depthwise layer have 10 % of the multiply-adds and
24 % of the time. A table has the median microseconds of every layer of an exported file on one thread, by the runtime's
own profile; nodes between two layers (sums, reordering, rounding) count with the layer before them. The time of a
network of other widths is computed from it: a 1x1 layer's is in proportion to its inputs times its outputs, a depthwise
layer's to its maps, each in blocks of 16 as the kernels work.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort

from model_store.recipe import data
from model_store.recipe.make import export, quantise
from model_store.recipe.make.backbones import BODIES, TAPS, Widths
from model_store.recipe.make.plain import load
from model_store.recipe.options import parse

Table = dict[str, float]  # layer, as in the checkpoint -> microseconds
LAYER = re.compile(
    r"/(stem)/|/(blocks\.\d+|decoder/\w+|objects/\w+)/(expand|reduce|depthwise|project|Clip_1|Clip)"
)
LATERAL = re.compile(r"/((?:decoder|objects)/(?:lateral\.\d|head|finest))/")
LANES = 16


@dataclass(frozen=True)
class Options:
    name: str = "gaze-2"  # of the checkpoint; the tables are in latency-NAME.json
    runs: int = 100
    pictures: int = 16  # for the ranges of int8, which the time does not depend on
    smoke: bool = False


def measured(path: Path, runs: int) -> Table:
    """Median microseconds of each layer of a file, one thread."""
    with TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling, options.profile_file_prefix = True, f"{folder}/profile"
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        picture = np.random.default_rng(0).integers(0, 256, (1, *data.SHAPE, 3), np.uint8)
        for _ in range(runs):
            session.run(None, {"picture": picture})
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times.setdefault(event["name"].removesuffix("_kernel_time"), []).append(event["dur"])
    return by_layer({name: float(np.median(each)) for name, each in times.items()})


def by_layer(nodes: dict[str, float]) -> Table:
    """`nodes`: in the order in which they run. A convolution that is fused with its ReLU6 has the name of that one."""
    table: Table = {}
    layer = "stem"
    for name, time in nodes.items():
        if found := LATERAL.search(name):
            layer = found[1].replace("/", ".")
        elif found := LAYER.search(name):
            layer = found[1] or f"{found[2].replace('/', '.')}.{_part(found[2], found[3])}"
        table[layer] = table.get(layer, 0.0) + time
    return table


def _part(block: str, part: str) -> str:
    if part == "Clip":
        return "depthwise" if block == "blocks.0" else "expand" if block.startswith("blocks") else "reduce"
    return "depthwise" if part == "Clip_1" else part


def sides(w: Widths) -> Iterator[tuple[str, int, int]]:
    """Of every layer that pruning changes: its name, its inputs and its outputs. A depthwise layer has one input."""
    body, inputs = BODIES[w.body], w.stem
    yield "stem", 1, w.stem
    for i, (stream, hidden) in enumerate(zip(body.stream, w.hidden, strict=True)):
        if i:
            yield f"blocks.{i}.expand", inputs, hidden
        yield f"blocks.{i}.depthwise", 1, hidden
        yield f"blocks.{i}.project", hidden, w.streams[stream]
        inputs = w.streams[stream]
    for i, tap in enumerate(TAPS):
        yield f"decoder.lateral.{i}", w.streams[tap], w.decoder
    for part, inner in zip(("coarse", "middle", "fine"), w.inner, strict=True):
        yield f"decoder.{part}.reduce", w.decoder, inner
        yield f"decoder.{part}.depthwise", 1, inner
        yield f"decoder.{part}.project", inner, w.decoder


def blocks(channels: int) -> int:
    return -(-channels // LANES)


def timed(table: Table, whole: Widths) -> Callable[[Widths], float]:
    """The microseconds of a network of other widths. `whole`: those of the network that the table was measured on."""
    size = {name: inputs * blocks(outputs) for name, inputs, outputs in sides(whole)}
    fixed = sum(time for name, time in table.items() if name not in size)

    def cost(widths: Widths) -> float:
        return fixed + sum(
            table.get(name, 0.0) * inputs * blocks(outputs) / size[name]
            for name, inputs, outputs in sides(widths)
        )

    return cost


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    path = folder / f"latency-{options.name}.json"
    if path.exists():
        return
    with TemporaryDirectory() as name:
        work = Path(name)
        files = {"fp32": work / "fp32.onnx", "int8": work / "whole.int8.onnx"}
        export.write(load(folder / f"{options.name}.pt"), files["fp32"])
        quantise.write(files["fp32"], files["int8"], work, options.pictures, smoke=options.smoke)
        tables = {precision: measured(file, options.runs) for precision, file in files.items()}
    path.write_text(json.dumps(tables, indent=1))
    for precision, table in tables.items():
        dearest = sorted(table.items(), key=lambda each: -each[1])[:8]
        print(
            precision,
            f"{sum(table.values()):.0f} us:",
            ", ".join(f"{name} {time:.0f}" for name, time in dearest),
        )


if __name__ == "__main__":
    main(parse(Options))
