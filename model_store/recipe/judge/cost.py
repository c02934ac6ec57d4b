"""Multiply-adds of an ONNX file, counted in its graph: convolutions and matrix products, as papers count."""

from math import prod
from pathlib import Path

import onnx

from model_store.recipe.make.fold import constants_folded


def multiply_adds(path: Path, shape: tuple[int, int]) -> int:
    """Multiply-adds of a picture of this height and width. Raises ValueError if a layer's output size is unknown."""
    model = onnx.load(str(path))
    picture = model.graph.input[0].type.tensor_type.shape.dim
    for dimension, size in zip(picture, (1, *shape, 3), strict=True):
        dimension.dim_value = size
    graph = onnx.shape_inference.infer_shapes(constants_folded(model), data_prop=True).graph
    sizes = {each.name: list(each.dims) for each in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        sizes[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
    total = 0
    for node in graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm"):
            inputs = sizes[node.input[1]][1:] if node.op_type == "Conv" else sizes[node.input[0]][-1:]
            found = prod(sizes.get(node.output[0], [0])) * prod(inputs)
            if not found:
                raise ValueError(f"{path.name}: the size of {node.name}'s output is unknown")
            total += found
    return total
