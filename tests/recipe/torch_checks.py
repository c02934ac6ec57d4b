"""Checks that test_recipe.py runs with the Python that has torch: plain functions, without pytest."""

import json
from dataclasses import replace
from itertools import pairwise, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch

from model_store.recipe import data
from model_store.recipe.judge import cost, folds, scores
from model_store.recipe.make import (
    channels,
    dino,
    distil,
    ensemble,
    export,
    finetune,
    harm,
    latency,
    learn,
    losses,
    prune,
    shipped,
    targets,
    transformer,
)
from model_store.recipe.make.backbones import BODIES, Widths
from model_store.recipe.make.material import Batch, fonts, recoloured
from model_store.recipe.make.network import Student, multiply_adds, with_objects
from model_store.recipe.options import STORE

SMALL = Widths(
    stem=8, streams=(8, 8, 8, 16, 16, 24, 32), decoder=16, inner=(16, 16, 16),
    hidden=(8, 16, 16, 16, 16, 16, 16, 32, 32, 32, 32, 32, 32, 32, 48, 48, 48),
)  # fmt: skip


def test_cost_in_closed_form_is_that_of_the_layers() -> None:
    for widths in (SMALL, replace(SMALL, objects=(12, 20)), *(Widths.of(body) for body in BODIES)):
        assert channels.cost(widths) == multiply_adds(Student(widths))


def test_density_sums_to_one_at_any_size() -> None:
    student = Student(SMALL).eval()
    for height, width in ((240, 320), (97, 131), (64, 48)):
        with torch.no_grad():
            log = student(torch.randint(0, 255, (2, height, width, 3), dtype=torch.uint8))
        assert log.shape == (2, -(-height // 8), -(-width // 8))
        assert torch.allclose(log.exp().sum((1, 2)), torch.ones(2), atol=1e-4)


def test_removing_maps_is_masking_them() -> None:
    """A student with masked maps and a student without these maps have the same output."""
    torch.manual_seed(0)
    student = with_objects(Student(SMALL), 12, 20).eval()
    keep = {g: torch.randperm(channels.width(SMALL, g))[:5].sort().values for g in channels.sites(student)}
    hooks = []
    for group, modules in channels.sites(student).items():
        mask = torch.zeros(1, channels.width(SMALL, group), 1, 1)
        mask[:, keep[group]] = 1
        for module in modules:
            hooks.append(module.register_forward_hook(lambda _, __, x, mask=mask: x * mask))
    picture = torch.randint(0, 255, (1, 96, 128, 3), dtype=torch.uint8)
    with torch.no_grad():
        masked = student(picture)
        removed = channels.sliced(student, keep)(picture)
    assert torch.allclose(masked, removed, atol=1e-5)


def test_frozen_and_coarse_are_the_blocks_of_1_8_and_1_16() -> None:
    for name, body in BODIES.items():
        student = Student(Widths.of(name)).eval()
        with torch.no_grad():
            x = student.lower(torch.zeros(1, 96, 128, 3, dtype=torch.uint8))
            assert x.shape == (1, body.streams[2], 12, 16)
            for block in student.blocks[body.frozen : body.coarse]:
                x = block(x)
            assert x.shape == (1, body.streams[4], 6, 8)
            for block in student.blocks[body.coarse :]:
                x = block(x)
            assert x.shape == (1, body.streams[6], 3, 4)


def test_other_colours_keep_light_and_dark() -> None:
    """The brightness of pixels has the same order as before, except where it is clipped."""
    draw = torch.Generator().manual_seed(3)
    pixels = torch.randint(60, 190, (6, 20, 30, 3), dtype=torch.uint8)
    other = recoloured(pixels, draw)
    assert other.shape == pixels.shape and other.dtype == torch.uint8
    before, after = pixels.float().mean(3).flatten(1), other.float().mean(3).flatten(1)
    for a, b in zip(before, after, strict=True):
        assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.95
    assert any(
        (one.float().std(2).mean() < 0.7 * was.float().std(2).mean())
        for one, was in zip(other, pixels, strict=True)
    )


def test_a_temperature_above_1_flattens_maps() -> None:
    maps = (
        torch.softmax(3 * torch.randn(4, 48, generator=torch.Generator().manual_seed(0)), 1)
        .view(4, 6, 8)
        .numpy()
    )
    assert torch.allclose(folds.softened(maps, 1.0), torch.from_numpy(maps), atol=1e-6)
    warm = folds.softened(maps, 2.0)
    assert torch.allclose(warm.sum((1, 2)), torch.ones(4))
    assert (warm.amax((1, 2)) < torch.from_numpy(maps).amax((1, 2))).all()


def test_losses_of_a_perfect_map() -> None:
    q = torch.rand(3, 5, 7)
    q = q / q.sum((1, 2), keepdim=True)
    assert torch.allclose(losses.divergence(q.log(), q), torch.zeros(3), atol=1e-5)
    assert torch.allclose(losses.correlation(q.log(), q), torch.ones(3), atol=1e-5)
    other = torch.softmax(torch.randn(3, 35), 1).view(3, 5, 7)
    assert (losses.gaze_loss(other.log(), q) > losses.gaze_loss(q.log(), q)).all()


def test_fisher_estimate_is_half_the_mean_squared_mask_gradient() -> None:
    """Compared with autograd on an explicit mask, one example at a time."""
    torch.manual_seed(1)
    student = Student(SMALL)
    pixels = torch.randint(0, 255, (3, 64, 96, 3), dtype=torch.uint8)
    target = torch.softmax(torch.randn(3, 96), 1).view(3, 8, 12)

    same = repeat(Batch(pixels, torch.zeros_like(target), target))
    found = prune.fisher(student, same, prune.Options(probes=1))
    for group in ("hidden.4", "stream.3", "decoder.0"):
        squares = []
        for i in range(3):
            mask = torch.ones(1, channels.width(SMALL, group), 1, 1, requires_grad=True)
            hooks = [
                m.register_forward_hook(lambda _, __, x, mask=mask: x * mask)
                for m in channels.sites(student)[group]
            ]
            value = distil.loss(student(pixels[i : i + 1]), torch.zeros(1, 8, 12), target[i : i + 1], 0.5)
            (gradient,) = torch.autograd.grad(value, mask)
            squares.append(gradient.flatten().square())
            for hook in hooks:
                hook.remove()
        assert torch.allclose(found[group], 0.5 * torch.stack(squares).mean(0), rtol=1e-3, atol=1e-9)


def test_a_stopped_training_continues_with_the_same_result() -> None:
    """Two epochs in one run, and one epoch each in two runs: the same weights and the same scores."""
    x, y = torch.randn(3, 32, 5), torch.randn(3, 32, 1)

    def learner() -> learn.Learner:
        torch.manual_seed(4)
        network = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
        parameters = learn.groups(network, lambda name: name.startswith("2"), 1e-2, 0.1)
        return learn.Learner(network, parameters, steps=6, warm=2, decay=0.01, average=0.9)

    def judge(network: torch.nn.Module) -> dict[str, float]:
        return {"sum": sum(float(p.detach().sum()) for p in network.parameters())}

    def train(one: learn.Learner, count: int, path: Path) -> learn.Learner:
        for _ in one.epochs(count, path, judge, "a check"):
            for inputs, wanted in zip(x, y, strict=True):
                one.step((one.network(inputs) - wanted).square().mean())
        return one

    with TemporaryDirectory() as folder:
        straight = train(learner(), 2, Path(folder) / "straight.pt")
        train(learner(), 1, Path(folder) / "stopped.pt")
        resumed = train(learner(), 2, Path(folder) / "stopped.pt")
    assert [one["epoch"] for one in resumed.log] == [1, 2]
    assert [one["sum"] for one in resumed.log] == [one["sum"] for one in straight.log]
    assert straight.log[0]["sum"] != straight.log[1]["sum"]
    for a, b in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_multiply_adds_of_a_file() -> None:
    """A strided grouped convolution and a matrix product, in a graph with free sides."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        layers = torch.nn.Conv2d(4, 8, 3, 2, 1, groups=2), torch.nn.Linear(5, 7)

        class Small(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.linear = layers

            def forward(self, picture: torch.Tensor) -> torch.Tensor:
                x = torch.nn.functional.pad(picture.permute(0, 3, 1, 2).float(), (0, 0, 0, 0, 0, 1))
                return self.linear(self.conv(x))

        torch.onnx.export(
            Small(), (torch.zeros(1, 6, 10, 3, dtype=torch.uint8),), str(path), dynamo=False,
            input_names=["picture"], dynamic_axes={"picture": {0: "batch", 1: "height"}},
        )  # fmt: skip
        assert cost.multiply_adds(path, (6, 10)) == (3 * 5 * 8) * (2 * 9) + (8 * 3 * 7) * 5
        assert cost.multiply_adds(path, (12, 10)) == (6 * 5 * 8) * (2 * 9) + (8 * 6 * 7) * 5


def test_rows_that_a_run_does_not_make_stay() -> None:
    with TemporaryDirectory() as folder:
        store = Path(folder)
        export.update("net", {"files": {"int8": {"file": "net.int8.onnx"}}}, default=True, store=store)
        row = {"crop_score": 1 / 3, "interval": [0.0, 1.0], "below_centre": 1.0}
        scores.keep({"rows": {"a peer": row, "other": row}, "split": "val"}, store)
        more = {"nss": 2.0, "cc": 0.7, "kl": 0.4, "share_of_half": 80.0, "crop_score": 57.12347}
        scores.keep({"rows": {"net.int8": row | more, "other": row | more}, "split": "val"}, store)
        kept = json.loads((store / "scores.json").read_text())["rows"]
        assert list(kept) == ["a peer", "other", "net.int8"]
        assert kept["a peer"]["crop_score"] == 0.3333
        assert kept["other"]["crop_score"] == 57.1235
        assert export.manifest(store)["networks"]["net"]["scores"]["int8"]["crop_score"] == 57.1235


def test_dino_has_the_output_of_the_packaged_file() -> None:
    """The last hidden state of torch's trunk and of the file's graph, at a size other than those of both."""
    model = onnx.load(str(dino.packaged()))
    for dimension, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 98, 126), strict=True):
        dimension.dim_value = size
    del model.graph.output[:]
    last = "/backbone/layernorm/Add_1_output_0"
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    trunk = dino.pretrained((6, 12)).eval()
    picture = 255 * torch.rand(1, 3, 98, 126, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        middle, found = trunk(picture)
    (wanted,) = run.run(None, {"input_image": ((picture - trunk.mean) / trunk.deviation).numpy()})
    tokens = torch.from_numpy(wanted)[:, 1:].transpose(1, 2).view(1, dino.WIDTH, 7, 9)
    assert tokens.abs().max() > 5 and middle.shape == found.shape
    assert (found - tokens).abs().max() < 2e-4


def test_a_transformers_maps_are_densities_and_mirror_with_the_picture() -> None:
    torch.manual_seed(2)
    network = transformer.Transformer(dino.Trunk(transformer.TAPS), (42, 56)).eval()
    pixels = torch.randint(0, 255, (2, 60, 80, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert network(pixels).shape == (2, 30, 40)
    maps = finetune.predict(network, pixels.numpy())
    assert abs(maps.sum((1, 2)) - 1).max() < 1e-4
    assert abs(maps - maps[:, :, ::-1]).max() > 1e-6
    assert abs(finetune.predict(network, pixels.numpy()[:, :, ::-1])[:, :, ::-1] - maps).max() < 1e-6


def test_an_exported_transformer_has_the_output_of_torch() -> None:
    """The file is in float32, for any batch, and averages both mirrored passes."""
    torch.manual_seed(3)
    network = transformer.Transformer(dino.Trunk(transformer.TAPS), (42, 56)).eval()
    pixels = torch.randint(0, 255, (3, *data.LARGE, 3), dtype=torch.uint8)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "teacher.onnx"
        ensemble.export({"dino": network}, path)
        (found,) = export.session(path).run(None, {"picture": pixels.numpy()})
    wanted = finetune.predict(network, pixels.numpy())
    assert abs(found - wanted).max() < 0.02 * wanted.max()  # torch's may be in bfloat16
    assert abs(found.sum((1, 2)) - 1).max() < 1e-4


def test_lower_blocks_have_smaller_rates() -> None:
    network = transformer.Transformer(dino.Trunk(transformer.TAPS))
    options = finetune.Options()
    rates = {id(p): group["lr"] for group in finetune.groups(network, options) for p in group["params"]}
    assert set(rates) == {id(p) for p in network.parameters()}
    trunk = network.trunk
    depths = [trunk.patches.weight, *(block.fc1.weight for block in trunk.blocks)]
    found = [rates[id(weight)] for weight in depths]
    assert found[-1] == options.top == rates[id(trunk.norm.weight)]
    assert all(abs(low / high - options.fall) < 1e-6 for low, high in pairwise(found))
    assert rates[id(network.head.weight)] == options.rate


def test_a_student_read_from_its_file_has_the_files_output() -> None:
    path = Path("model_store") / "gaze-1.onnx"
    pixels = torch.randint(0, 255, (2, 240, 320, 3), dtype=torch.uint8)
    with torch.no_grad():
        found = shipped.student(path)(pixels).exp().numpy()
    (wanted,) = export.session(path).run(None, {"picture": pixels.numpy()})
    assert abs(found - wanted).max() < 1e-4 * wanted.max()


def test_maps_move_with_harmed_pictures() -> None:
    """A bright spot on grey, and a map with its maximum there."""
    pixels, maps = torch.full((60, 80, 3), 90, dtype=torch.uint8), torch.zeros(2, 15, 20)
    pixels[12:16, 56:60], maps[0, 3, 14] = 250, 1.0

    def distance(x: torch.Tensor, y: torch.Tensor) -> float:
        """Between the spot and the map's maximum, in fractions of the sides."""
        spot = torch.nonzero(x.float().mean(2) > 0.9 * x.float().mean(2).max()).float().mean(0)
        cell = torch.nonzero(y[0] == y[0].max()).float().mean(0)
        return float(
            ((spot + 0.5) / torch.tensor([60, 80]) - (cell + 0.5) / torch.tensor([15, 20])).abs().max()
        )

    ways = [harm.turned(pixels, maps, quarters) for quarters in (1, 3)]
    ways += [harm.shifted(pixels, maps, harm.tilt(degrees, 60, 80), None) for degrees in (-12.0, 12.0)]
    ways.append(harm.shifted(pixels, maps, torch.tensor([[1.4, 0, 0.2], [0, 1.2, -0.1]]), torch.zeros(3)))
    for x, y in ways:
        assert x.shape == pixels.shape and x.dtype == torch.uint8
        assert not torch.equal(x, pixels) and distance(x, y) < 0.05
        assert torch.allclose(y.sum((1, 2)), torch.tensor([1.0, 0.0]), atol=1e-4)
    draw = np.random.default_rng(0)
    drawn = [harm.any_of(pixels, maps, draw) for _ in range(40)]
    assert all(x.dtype == torch.uint8 and y.shape == maps.shape for x, y, _ in drawn)
    assert not any(torch.equal(x, pixels) for x, _, _ in drawn)
    same, where = harm.shifted(pixels, maps, harm.tilt(0.0, 60, 80), None)
    assert torch.equal(same, pixels) and torch.allclose(where, maps, atol=1e-4)
    soft = harm.blurred(pixels, 2.0).float()
    assert soft.max() < 250 and abs(soft.mean() - pixels.float().mean()) < 0.5


def test_the_mirror_loss_penalises_maps_that_differ() -> None:
    """Those of a picture and its mirror image, or of a picture and its twin's."""
    torch.manual_seed(5)
    student = Student(SMALL).eval()
    pixels, poor = torch.randint(0, 255, (2, 2, 64, 96, 3), dtype=torch.uint8)
    soft = torch.softmax(torch.randn(2, 96), 1).view(2, 8, 12)
    for twins in (None, poor):
        batch = Batch(pixels, torch.zeros_like(soft), soft, None, twins)
        image = (pixels if twins is None else twins).flip(2)
        other = Batch(image, torch.zeros_like(soft), soft.flip(2))
        with torch.no_grad():
            plain = [distil.step_loss(student, one, distil.Weights(0.5)) for one in (batch, other)]
            small, large = (
                distil.step_loss(student, batch, distil.Weights(0.5, weight)) for weight in (1e-6, 1.0)
            )
        assert torch.allclose(small, (plain[0] + plain[1]) / 2, atol=1e-4)
        assert large > small


def test_the_time_of_a_layer_is_that_of_its_nodes() -> None:
    nodes = {
        "/Transpose": 1.0, "/stem/Clip_output_0_nchwc": 2.0, "/blocks.0/Clip_output_0_nchwc": 3.0, "ReorderOutput": 4.0,
        "/blocks.1/Clip_output_0_nchwc": 5.0, "/blocks.1/Clip_1_output_0_nchwc": 6.0, "/blocks.1/project/Conv": 7.0,
        "/decoder/lateral.0/Conv_token_2": 8.0, "/decoder/Resize": 9.0, "/decoder/fine/reduce/Conv": 10.0,
    }  # fmt: skip
    assert latency.by_layer(nodes) == {
        "stem": 3.0, "blocks.0.depthwise": 7.0, "blocks.1.expand": 5.0, "blocks.1.depthwise": 6.0,
        "blocks.1.project": 7.0, "decoder.lateral.0": 17.0, "decoder.fine.reduce": 10.0,
    }  # fmt: skip


def test_every_layer_that_can_be_pruned_has_a_time() -> None:
    """By the profile of both kinds of files that ship, and a network of the same widths takes all of it."""
    widths = shipped.student(STORE / "gaze-2.onnx").widths
    for end in ("", ".int8"):
        table = latency.measured(STORE / f"gaze-2{end}.onnx", 2)
        assert {name for name, _, _ in latency.sides(widths)} <= set(table)
        cost = latency.timed(table, widths)
        assert abs(cost(widths) - sum(table.values())) < 1
        thinner = channels.resized(widths, "hidden.1", channels.width(widths, "hidden.1") - 16)
        assert cost(thinner) < cost(widths)


def test_a_cost_in_time_chooses_what_saves_time() -> None:
    student = Student(SMALL)
    rises = {group: torch.ones(channels.width(SMALL, group)) for group in channels.sites(student)}
    table = {name: 1000.0 if name == "blocks.14.depthwise" else 1.0 for name, _, _ in latency.sides(SMALL)}
    cost = latency.timed(table, SMALL)
    kept = prune.choose(student, rises, 0.9 * cost(SMALL), cost)
    assert [group for group, rise in rises.items() if len(kept[group]) < len(rise)] == ["hidden.14"]


def test_gradients_of_parts_are_those_of_the_batch() -> None:
    torch.manual_seed(6)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 12), torch.nn.Unflatten(1, (3, 4)))
    network.append(torch.nn.LogSoftmax(2))
    x, y = torch.randn(5, 6), torch.rand(5, 3, 4)
    finetune.loss(network(x), y).backward()
    wanted = [p.grad.clone() for p in network.parameters()]
    parameters = [{"params": network.parameters(), "lr": 0.0}]
    learner = learn.Learner(network, parameters, steps=1, warm=1, decay=0.0, average=0.9, threads=2)
    learner.share(lambda part: finetune.loss(network(x[part]), y[part]), len(x))
    for p, gradient in zip(network.parameters(), wanted, strict=True):
        assert torch.allclose(p.grad, gradient, atol=1e-6)


def test_boxes_move_with_the_picture() -> None:
    """A red rectangle and its box, through every change that moves pixels; rounded to whole pixels."""
    pixels = torch.zeros(120, 160, 3, dtype=torch.uint8)
    pixels[30:60, 20:56] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    box = np.array([[0, 20 / 160, 30 / 120, 36 / 160, 30 / 120]])
    draw = np.random.default_rng(3)
    maps = torch.zeros(1, 15, 20)
    found = [(*harm.turned(pixels, maps, quarters)[:1], harm.TURNS[quarters]) for quarters in (1, 3)]
    found += [(x, motion) for x, _, motion in (harm.any_of(pixels, maps, draw) for _ in range(60))]
    found += [harm.zoomed(pixels, draw) for _ in range(60)]
    compared = 0
    for x, motion in found:
        bright = (x[:, :, 0] > 128) & (x[:, :, 1] < 5)
        boxes = harm.moved(box, motion)
        if not len(boxes) or not bright.any():
            continue  # darker, or the rectangle is out of view
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        left, top, width, height = boxes[0, 1:] * [160, 120, 160, 120]
        seen = columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
        assert np.abs(np.array([left, top, width, height]) - seen).max() < 4
        compared += 1
    assert compared > 50


def test_targets_are_decoded_to_the_boxes_and_mirrored_with_them() -> None:
    boxes = np.array([[0, 0.11, 0.2, 0.15, 0.31], [1, 0.51, 0.5, 0.4, 0.05], [0, 0.81, 0.8, 0.01, 0.01]])
    every = np.array([[True, True]])
    its = targets.targets([boxes], every)
    assert (its.wanted == 1).sum() == 2  # the third one is too small
    assert not its.judged.all() and its.judged.float().mean() > 0.98
    for kind, left, top, width, height in boxes[:2]:
        row, column = divmod(int(its.wanted[0, int(kind)].argmax()), its.wanted.shape[3])
        wanted = torch.tensor([(left + width / 2) * 40, (top + height / 2) * 30, width * 40, height * 30])
        assert torch.allclose(its.boxes[0, int(kind), :, row, column].double(), wanted, atol=1e-4)
    other = boxes.copy()
    other[:, 1] = 1 - boxes[:, 1] - boxes[:, 3]
    mirrored, expected = its.mirrored(), targets.targets([other], every)
    learns = expected.wanted >= targets.NEAR
    assert torch.allclose(mirrored.wanted, expected.wanted, atol=1e-5)
    assert torch.allclose(
        mirrored.boxes.transpose(2, 4)[learns.transpose(2, 3)],
        expected.boxes.transpose(2, 4)[learns.transpose(2, 3)],
    )
    # An output that says just this has almost no loss; one that is silent has a large one.
    raw = torch.zeros(1, 2, 5, 30, 40)
    raw[:, :, 0] = torch.where(its.wanted >= 1, 12.0, -12.0)
    x, y = torch.arange(40) + 0.5, (torch.arange(30) + 0.5)[:, None]
    raw[:, :, 1], raw[:, :, 2] = its.boxes[:, :, 0] - x, its.boxes[:, :, 1] - y
    raw[:, :, 3:] = its.boxes[:, :, 2:].log()
    assert targets.loss(raw.flatten(1, 2), its) < 0.01
    raw[:, :, 0] = -12
    assert targets.loss(raw.flatten(1, 2), its) > 1


def test_unlabelled_pictures_teach_only_what_was_drawn() -> None:
    words = np.array([[1, 0.2, 0.3, 0.4, 0.1]])
    its = targets.targets([words], np.array([[False, False]]))
    assert not its.judged[0, 0].any()
    assert 0.03 < its.judged[0, 1].float().mean() < 0.12
    draw = np.random.default_rng(0)
    for _ in range(20):
        x, boxes = harm.written(torch.full((240, 320, 3), 128, dtype=torch.uint8), fonts(), draw)
        for _, left, top, width, height in boxes:
            part = x[
                int(top * 240) : int((top + height) * 240) + 1,
                int(left * 320) : int((left + width) * 320) + 1,
            ]
            assert part.float().std() > 5  # there are letters in it
        assert len(boxes) or torch.equal(x, torch.full_like(x, 128))
