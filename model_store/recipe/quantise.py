"""Stage 6b, int8: the exported file -> U8 activations, S8 weights per channel, as QDQ, calibrated on
photographs.

    python -m model_store.recipe.quantise --name=gaze-0

Convolutions and sums are quantised; resizing, the head and the softmax, which cost nothing and set the map's
tails, stay float. 2.3 times as fast as fp32 on processors with VNNI (S8 activations: 1.2 times).
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from model_store.recipe import data
from model_store.recipe.export import describe, manifest, session, update
from model_store.recipe.options import STORE, parse


@dataclass(frozen=True)
class Options:
    name: str = "gaze-0"
    pictures: int = 160  # photographs that the ranges are taken from
    smoke: bool = False


class Photographs(CalibrationDataReader):  # type: ignore[misc]
    """Unlabelled photographs, evenly from all sets, one by one."""

    def __init__(self, count: int, smoke: bool) -> None:
        pixels = data.read("photos", smoke).pixels()
        self.left = iter([pixels[i : i + 1] for i in np.linspace(0, len(pixels) - 1, count).astype(int)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        one = next(self.left, None)
        return None if one is None else {"picture": np.ascontiguousarray(one)}


def head(path: Path) -> list[str]:
    """Names of the convolutions that give one channel: the head, left in float."""
    model = onnx.load(str(path))
    shapes = {one.name: list(one.dims) for one in model.graph.initializer}
    return [
        node.name for node in model.graph.node if node.op_type == "Conv" and shapes[node.input[1]][0] == 1
    ]


def read_bytes(model: onnx.ModelProto) -> None:
    """The first convolution reads the picture's bytes as the eight-bit numbers they are: no cast to float and back.

    Raises ValueError when the photographs of the calibration were not between 0 and 255.
    """
    graph = model.graph
    cast = next(node for node in graph.node if node.op_type == "Cast")
    readers = [node for node in graph.node if cast.output[0] in node.input]
    if [node.op_type for node in readers] != ["QuantizeLinear"]:
        return  # a stem that scales first
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    scale, zero = (float(constants[name]) for name in readers[0].input[1:])
    if abs(scale - 1) > 1e-6 or zero != 0:
        raise ValueError(f"bytes were quantised by {scale} and {zero}")
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == readers[0].output[0]:
            node.input[0] = cast.input[0]
    graph.node.remove(cast)
    graph.node.remove(readers[0])


def main(options: Options) -> None:
    store = data.folder(True) if options.smoke else STORE
    plain = store / f"{options.name}.onnx"
    work = data.folder(options.smoke)
    prepared, draft = work / "prepared.onnx", work / "int8.onnx"
    quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(draft),
        Photographs(8 if options.smoke else options.pictures, options.smoke),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["Conv", "Add", "Clip"],  # Clip: else ranges are taken before ReLU6 cuts them
        nodes_to_exclude=head(prepared),
        calibrate_method=CalibrationMethod.MinMax,
    )
    model = onnx.load(str(draft))
    read_bytes(model)
    onnx.checker.check_model(model)
    onnx.save(model, str(draft))
    path = store / f"{options.name}.int8.onnx"
    shutil.move(draft, path)
    gaze = data.read("gaze", options.smoke)
    some = np.ascontiguousarray(gaze.pixels()[gaze.where("val")[:: max(1, len(gaze.where("val")) // 40)]])
    fp32 = session(plain).run(None, {"picture": some})[0]
    int8 = session(path).run(None, {"picture": some})[0]
    distance = 0.5 * np.abs(fp32 - int8).sum((1, 2))
    stored = manifest(store)["networks"][options.name]
    update(
        options.name,
        {
            "files": stored["files"] | {"int8": describe(path)},
            "parity": stored["parity"] | {"fp32_int8": round(float(distance.mean()), 4)},
        },
        default=False,
        store=store,
    )
    print(
        json.dumps(
            {
                "bytes": path.stat().st_size,
                "total variation fp32 to int8": [float(distance.mean()), float(distance.max())],
            }
        )
    )


if __name__ == "__main__":
    main(parse(Options))
