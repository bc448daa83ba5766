import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import model  # noqa: F401  (before torchvision)
from explorer.engine import batchnorm
from explorer.engine.ablation import ablation
from explorer.engine.passes import recorded, tapped
from explorer.engine.probe import probe
from explorer.engine.tracing import (
    Block,
    blocks,
    input_output,
    last_with_positions,
    private_view,
    stages,
    trace,
)
from model.nets import CourseCNN, ResNet9

torchvision = pytest.importorskip("torchvision")


def test_private_view_shares_no_module_and_no_tensor(tricky: nn.Module, untouched: Callable) -> None:
    tricky.train()
    with untouched(tricky):
        view = private_view(tricky)
        mine, theirs = dict(view.named_modules()), dict(tricky.named_modules())
        assert list(mine) == list(theirs)
        assert not {id(m) for m in mine.values()} & {id(m) for m in theirs.values()}
        tensors = (view.state_dict(keep_vars=True), tricky.state_dict(keep_vars=True))
        assert not {id(t) for t in tensors[0].values()} & {id(t) for t in tensors[1].values()}
        assert not any(m.training or getattr(m, "inplace", False) for m in view.modules())
        view.bn1.running_mean = None
        view.conv1.register_forward_hook(lambda *_: None)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_private_view_of_reparametrised_weights(x: Tensor) -> None:
    old = nn.utils.weight_norm(nn.Conv2d(3, 4, 3))
    new = nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))
    net = nn.Sequential(old, new, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    net(x)  # leaves a weight in `old` that is no leaf of the graph
    assert list(trace(net, x).maps) == ["0", "1", "2"]
    assert torch.equal(private_view(net)(x), net(x))


def test_trace_of_the_course_network(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    assert list(seen.maps) == [f"{stage}{n}" for n in (1, 2, 3) for stage in ("conv", "bn", "relu", "pool")]
    conv = course.conv1(x)
    for name, wanted in {
        "conv1": conv,
        "bn1": course.bn1(conv),
        "relu1": course.bn1(conv).relu(),
        "pool1": F.max_pool2d(course.bn1(conv).relu(), 2),
    }.items():
        np.testing.assert_array_equal(seen.maps[name], wanted[0].detach())
        assert seen.maps[name].dtype == np.float32
    np.testing.assert_allclose(seen.logits, course(x)[0].detach(), atol=1e-6)
    assert seen.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert (seen.inputs["conv1"].source, seen.inputs["conv1"].shape) == ("", (3, 32, 32))
    assert (seen.inputs["conv2"].source, seen.inputs["conv2"].shape) == ("pool1", (32, 16, 16))


def test_trace_can_be_pickled_and_compared(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert trace(course, x + 1) != seen


def test_in_place_and_reused_layers_are_seen_as_they_ran(tricky: nn.Module, x: Tensor) -> None:
    seen = trace(tricky, x)
    with torch.no_grad():
        conv1 = tricky.conv1(x)
        bn1 = tricky.bn1(conv1)
        relu = F.relu(bn1)
        bn2 = tricky.bn2(tricky.conv2(relu))
        relu2 = F.relu(bn2 + tricky.down(relu))
        conv3 = tricky.conv3(relu2)
    expected = {"conv1": conv1, "bn1": bn1, "relu": relu, "bn2": bn2, "relu#2": relu2, "conv3": conv3}
    for name, maps in expected.items():
        np.testing.assert_array_equal(seen.maps[name], maps[0])
    np.testing.assert_array_equal(seen.maps["pool"], F.max_pool2d(conv3.relu(), 2)[0])
    sources = {name: met.source for name, met in seen.inputs.items()}
    assert sources["relu"] == "bn1"
    assert sources["down.0"] == "relu"
    assert sources["relu#2"] is None  # an addition wrote into what bn2 made
    assert sources["conv3"] == "relu#2"
    assert sources["pool"] is None  # a functional ReLU wrote into what conv3 made


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_trace_in_any_gradient_mode_and_from_train_mode(
    tricky: nn.Module, x: Tensor, untouched: Callable, mode: Callable
) -> None:
    wanted = trace(tricky, x)
    tricky.train()
    with untouched(tricky), mode():
        assert trace(tricky, x.clone()) == wanted


def test_trace_leaves_no_trace_after_an_exception(tricky: nn.Module, x: Tensor, untouched: Callable) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("boom")

    tricky.conv3.forward = explode
    with untouched(tricky), pytest.raises(RuntimeError, match="boom"):
        trace(tricky, x)


@pytest.mark.parametrize("shape", [(3, 32, 32), (0, 3, 32, 32), (1, 0, 32, 32)])
def test_trace_names_a_wrong_shape(course: nn.Module, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(N, C, h, w\), N at least 1"):
        trace(course, torch.zeros(shape))


def test_trace_refuses_a_net_without_logits(x: Tensor) -> None:
    with pytest.raises(ValueError, match="logits"):
        trace(nn.Sequential(nn.Conv2d(3, 4, 3)), x)


def test_blocks_of_the_course_network(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    assert blocks(course, seen) == tuple(
        Block(f"conv{n}", f"bn{n}", f"relu{n}", f"pool{n}") for n in (1, 2, 3)
    )
    assert stages(blocks(course, seen)[1], seen) == {
        "conv": "conv2",
        "norm": "bn2",
        "act": "relu2",
        "pool": "pool2",
    }


def test_blocks_after_skips_and_functions(tricky: nn.Module, x: Tensor) -> None:
    assert blocks(tricky, trace(tricky, x)) == (
        Block("conv1", "bn1", "relu"),
        Block("conv2", "bn2", "relu#2"),  # nearer in the module tree than down.1
        Block("down.0", "down.1"),
        Block("conv3", pool="pool"),  # its ReLU is no module
    )


def test_blocks_in_any_order_and_of_any_kind(x: Tensor) -> None:
    layers = [
        nn.BatchNorm2d(3),
        nn.Conv2d(3, 4, 3), nn.GELU(), nn.Dropout2d(), nn.GroupNorm(2, 4), nn.ReLU(),
        nn.Conv2d(4, 4, 3), nn.AvgPool2d(2), nn.PReLU(), nn.MaxPool2d(2),
        nn.ConvTranspose2d(4, 4, 3), nn.InstanceNorm2d(4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    ]  # fmt: skip
    net = nn.Sequential(*layers).eval()
    seen = trace(net, x)
    found = blocks(net, seen)
    assert found == (
        Block(None, norm="0"),
        Block("1", norm="4", act="2"),
        Block(None, act="5"),  # its block has an activation already
        Block("6", act="8", pool="7"),
        Block("10", norm="11", pool="12"),
    )
    assert list(stages(found[1], seen)) == ["conv", "act", "norm"]
    assert list(stages(found[3], seen)) == ["conv", "pool", "act"]


def test_a_pooling_of_another_branch_is_not_a_stage(x: Tensor) -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.branch, self.pool = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.MaxPool2d(3, 1)
            self.head = nn.Conv2d(8, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return self.head(torch.cat([self.branch(x), self.pool(x)], 1)).mean((2, 3))

    net = Branches().eval()
    assert blocks(net, trace(net, x)) == (Block("stem", pool="pool"), Block("branch"), Block("head"))


def test_resnet18_and_vgg11_bn(settled: Callable) -> None:
    torch.manual_seed(4)
    resnet = settled(torchvision.models.resnet18(weights=None))
    x = torch.randn(1, 3, 64, 64)
    seen = trace(resnet, x)
    found = {block.conv: block for block in blocks(resnet, seen)}
    assert len(found) == 20
    assert found["conv1"] == Block("conv1", "bn1", "relu", "maxpool")
    assert found["layer2.0.conv2"] == Block("layer2.0.conv2", "layer2.0.bn2", "layer2.0.relu#2")
    assert found["layer2.0.downsample.0"] == Block("layer2.0.downsample.0", "layer2.0.downsample.1")
    with torch.no_grad():
        stem = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))
        layer1 = resnet.layer1(stem)
    np.testing.assert_array_equal(seen.maps["layer1.1.relu#2"], layer1[0])
    np.testing.assert_array_equal(seen.maps["bn1"], resnet.bn1(resnet.conv1(x))[0].detach())

    vgg = torchvision.models.vgg11_bn(weights=None, num_classes=10).eval()
    seen = trace(vgg, x[:, :, :32, :32])
    found_vgg = blocks(vgg, seen)
    assert [block.conv for block in found_vgg] == [f"features.{n}" for n in (0, 4, 8, 11, 15, 18, 22, 25)]
    assert found_vgg[0] == Block(*(f"features.{n}" for n in range(4)))
    assert found_vgg[2].pool is None
    np.testing.assert_array_equal(seen.maps["features.2"], F.relu(torch.tensor(seen.maps["features.1"])))


def test_layers_with_channels_last_join_their_block(x: Tensor) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.act = nn.Conv2d(3, 4, 3), nn.LayerNorm(4), nn.GELU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.norm(self.conv(x).permute(0, 2, 3, 1))).mean((1, 2))

    net = Last().eval()
    seen = trace(net, x)
    assert blocks(net, seen) == (Block("conv", "norm", "act"),)
    with torch.no_grad():
        norm = net.norm(net.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    np.testing.assert_array_equal(seen.maps["norm"], norm[0])


def test_a_tap_runs_once_a_forward(tricky: nn.Module, x: Tensor, untouched: Callable) -> None:
    with untouched(tricky):
        view, points = tapped(tricky, ["relu", "relu#2", "bn2", "down"])
        met: dict[str, list[Tensor]] = {name: [] for name in points}
        for name, point in points.items():
            point.register_forward_hook(lambda _, __, out, name=name: met[name].append(out))
        with torch.no_grad():
            assert torch.equal(view(x), tricky(x))
            view(x)
    seen = trace(tricky, x)
    assert {name: len(kept) for name, kept in met.items()} == dict.fromkeys(points, 2)
    for name in ("relu", "relu#2", "bn2"):
        assert np.array_equal(met[name][0][0], seen.maps[name])
    assert np.array_equal(met["down"][1][0], seen.maps["down.1"])


@pytest.mark.parametrize(
    ("layer", "message"), [("nope", "no layer"), ("relu#3", "did not run"), ("fc", "not feature")]
)
def test_a_tap_names_what_is_wrong(tricky: nn.Module, x: Tensor, layer: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tapped(tricky, [layer])[0](x)


def test_a_trace_of_some_layers_knows_the_others(course: nn.Module, x: Tensor) -> None:
    whole, some, none = trace(course, x), trace(course, x, ["relu2", "pool3"]), trace(course, x, ())
    assert (list(some.maps), dict(none.maps)) == (["relu2", "pool3"], {})
    assert np.array_equal(some.maps["relu2"], whole.maps["relu2"])
    assert none.shapes == some.shapes == {layer: maps.shape for layer, maps in whole.maps.items()}
    assert none.inputs == whole.inputs
    assert blocks(course, none) == blocks(course, whole)
    assert len(pickle.dumps(none)) < 5000 < len(pickle.dumps(whole)) / 10


@pytest.mark.parametrize("name", ["course", "ResNet-9", "reused"])
def test_what_a_layer_read_is_in_the_trace_or_is_not_given(name: str, x: Tensor) -> None:
    """Statistics, a cell's arithmetic and switched-off channels are those of passes of their own."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    reused = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), norm, nn.Flatten(), nn.LazyLinear(3))
    net = {"course": CourseCNN, "ResNet-9": lambda: ResNet9(width=4), "reused": lambda: reused}[name]().eval()
    net(x)
    for each in net.modules():
        if isinstance(each, nn.BatchNorm2d):
            nn.init.uniform_(each.running_mean, -1, 1)
            nn.init.uniform_(each.running_var, 0.5, 2)
    seen = trace(net, x)
    known = {layer: input_output(seen, x, layer) for layer in seen.maps}
    assert known[next(iter(seen.maps))] is not None
    passed: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(layer: str, read: Tensor, made: Tensor) -> None:
        passed[layer] = (read.clone(), made.clone())

    recorded(net, x, list(known), keep)
    for layer, both in known.items():
        if both is not None:
            assert all(
                torch.equal(torch.from_numpy(one), other[0])
                for one, other in zip(both, passed[layer], strict=True)
            )
    for layer in batchnorm.batchnorms(net, seen):
        of_trace = batchnorm.statistics_of_trace(net, seen, x, layer)
        of_pass = batchnorm.statistics(net, x, layer)
        if of_trace is not None:
            np.testing.assert_allclose(of_trace.mean, of_pass.mean, atol=1e-6)
            np.testing.assert_allclose(of_trace.var, of_pass.var, rtol=1e-5)
            assert np.array_equal(of_trace.before, of_pass.before)
            assert np.array_equal(of_trace.after, of_pass.after)
    for block in blocks(net, seen):
        assert probe(net, x, block, 1, 2, 2, seen) == probe(net, x, block, 1, 2, 2)
        assert ablation(net, x, block.name, 1, seen) == ablation(net, x, block.name, 1)


def test_without_maps_a_trace_gives_no_input(course: nn.Module, x: Tensor) -> None:
    seen = replace(trace(course, x), maps={})
    assert input_output(seen, x, "bn1") is None
    assert batchnorm.statistics_of_trace(course, seen, x, "bn1") is None


def test_weights_that_only_a_pass_computes_are_those_of_the_pass(x: Tensor) -> None:
    torch.manual_seed(0)
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).eval()
    net(x)
    seen = trace(net, x)
    (block,) = blocks(net, seen)
    assert probe(net, x, block, 1, 2, 2, seen) == probe(net, x, block, 1, 2, 2)


def test_the_last_layer_with_several_positions() -> None:
    shapes = {"conv": (4, 6, 6), "row": (4, 1, 6), "squeezed": (4, 1, 1)}
    assert last_with_positions(list(shapes), shapes) == "row"
    assert last_with_positions(["squeezed"], shapes) == "squeezed"
