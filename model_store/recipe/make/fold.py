"""Export, last step: a padding and a division before a convolution are folded into it.

TensorFlow's SAME padding is uneven at stride 2, which torch can only express as a separate layer. ONNX convolutions
have uneven pads. Without the separate layers the int8 file takes a third less time: they would pad floats, between a
dequantisation and a quantisation of the largest feature maps. The division of the pixels is folded into the weights.
The outputs stay the same.

    python -m model_store.recipe.make.fold FILE...
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper


def fold(model: onnx.ModelProto) -> int:
    """Folds every zero padding whose only reader is a convolution, and returns their number."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in graph.node
        if node.op_type == "Constant"
    }
    folded = 0
    for conv in [node for node in graph.node if node.op_type == "Conv"]:
        pad = made.get(conv.input[0])
        if pad is None or pad.op_type != "Pad" or sum(pad.output[0] in node.input for node in graph.node) > 1:
            continue
        amounts = constants.get(pad.input[1])
        value = constants.get(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else np.zeros(1)
        if amounts is None or value is None or np.any(value) or np.any(amounts.reshape(2, 4)[:, :2]):
            continue
        uneven = [int(side) for side in amounts.reshape(2, 4)[:, 2:].ravel()]  # top, left, bottom, right
        own = next((a for a in conv.attribute if a.name == "pads"), None)
        if own is not None:
            uneven = [a + b for a, b in zip(own.ints, uneven, strict=True)]
            conv.attribute.remove(own)
        conv.attribute.append(onnx.helper.make_attribute("pads", uneven))
        conv.input[0] = pad.input[0]
        graph.node.remove(pad)
        folded += 1
        _divide(graph, conv, made, constants)
    _sweep(graph)
    return folded


def _divide(
    graph: onnx.GraphProto,
    conv: onnx.NodeProto,
    made: dict[str, onnx.NodeProto],
    constants: dict[str, np.ndarray],
) -> None:
    """Divides the weights instead of the convolution's input, if the divisor is one number."""
    division = made.get(conv.input[0])
    if (
        division is None
        or division.op_type != "Div"
        or constants.get(division.input[1], np.zeros(2)).size != 1
    ):
        return
    name = f"{conv.input[1]}.divided"
    weight = constants[conv.input[1]] / constants[division.input[1]]
    graph.initializer.append(numpy_helper.from_array(weight.astype(np.float32), name))
    conv.input[0], conv.input[1] = division.input[0], name


def _sweep(graph: onnx.GraphProto) -> None:
    """Removes nodes and initializers that no other node reads."""
    while True:
        read = {name for node in graph.node for name in node.input} | {out.name for out in graph.output}
        dead = [node for node in graph.node if not read.intersection(node.output)]
        for node in dead:
            graph.node.remove(node)
        if not dead:
            break
    for each in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(each)


def constants_folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model after ONNX Runtime's basic optimisation, which replaces what tracing left to be computed from fixed
    sizes by constants."""
    with TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = f"{folder}/basic.onnx"
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def fold_file(path: Path) -> None:
    """Folds paddings and the division of a file in place, after `constants_folded`."""
    model = constants_folded(onnx.load(str(path)))
    standard = [opset for opset in model.opset_import if not opset.domain]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    print(path.name, fold(model), "paddings folded")
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        fold_file(Path(name))
