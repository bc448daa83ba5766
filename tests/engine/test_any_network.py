"""Networks that no one here made: torchvision's architectures, and replicas of each odd kind."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.ablation import ablations
from explorer.engine.attribution import attribute_many, class_gradients, evidence_many
from explorer.engine.attribution.kept_pass import keep_pass
from explorer.engine.batchnorm import batchnorms, relu_behind, statistics, statistics_many
from explorer.engine.geometry import layer_size
from explorer.engine.passes import recorded
from explorer.engine.probe import probe
from explorer.engine.receptive import receptive_fields
from explorer.engine.tracing import Block, Trace, blocks, layer_module, private_view, stage_of, stages, trace
from model import torchvision_repair
from model.problems import Problem
from tests.engine.odd_networks import ODD, Compiled, Plain, Uncopyable, UnderInference, WithConv

torchvision_repair.repair()
import torchvision.models as models  # noqa: E402  (repaired first)

X = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
few = {"num_classes": 5}
ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "resnet": lambda: models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], **few),
    "densenet": lambda: models.DenseNet(8, (2, 3), 16, 2, **few),
    "mobilenet": lambda: models.mobilenet_v3_small(weights=None, **few),
    "squeezenet": lambda: models.squeezenet1_1(weights=None, **few),
    "shufflenet": lambda: models.ShuffleNetV2([1, 2, 1], [8, 16, 32, 64, 64], **few),
    "mnasnet": lambda: models.mnasnet0_5(weights=None, **few),
    "regnet": lambda: models.RegNet(models.regnet.BlockParams([1, 1], [16, 32], [8, 8], [1, 1], [2, 2], 0.25),
                                    stem_width=8, **few),
    "efficientnet": lambda: models.EfficientNet(
        [models.efficientnet.MBConvConfig(2, 3, 2, 8, 16, 2),
         models.efficientnet.FusedMBConvConfig(2, 3, 2, 16, 8, 1)], 0.0, **few),
    "convnext": lambda: models.ConvNeXt([models.convnext.CNBlockConfig(12, 16, 2),
                                         models.convnext.CNBlockConfig(16, None, 1)], **few),
    "swin": lambda: models.SwinTransformer([4, 4], 12, [1, 2], [2, 2], [4, 4], **few),
    "vit": lambda: models.VisionTransformer(64, 8, 2, 2, 16, 24, **few),
    "maxvit": lambda: models.MaxVit((96, 96), 8, 4, [8, 20], [1, 1], 4, 0.0, **few),
}  # fmt: skip


@cache
def built(name: str) -> nn.Module:
    """A network of either kind; nothing changes it."""
    torch.manual_seed(0)
    net = (ODD | ARCHITECTURES)[name]()
    nn.Module.eval(net)
    return net


@cache
def image(name: str) -> Tensor:
    size = {"maxvit": 96}.get(name, 64 if name in ARCHITECTURES else 32)
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))


@cache
def seen_by(name: str) -> Trace:
    return trace(built(name), image(name))


def chosen(name: str) -> list[str]:
    """One layer of the first, the middle and the last block."""
    block_list = blocks(built(name), seen_by(name))
    return list(
        dict.fromkeys(block_list[at].act or block_list[at].name for at in (0, len(block_list) // 2, -1))
    )


def grad_cam(net: nn.Module, x: Tensor, layer: str, target: int) -> Tensor:
    """Grad-CAM by autograd of what one layer gives: maps, maps with channels last, or tokens of a square."""
    outputs: list[Tensor] = []
    view = private_view(net)
    with view.get_submodule(layer).register_forward_hook(
        lambda _, __, out: outputs.append(out) or out.clone()
    ):
        logits = view(x.clone().requires_grad_() + 0)
    (gradient,) = torch.autograd.grad(logits[0, target], outputs[0])
    shape = trace(net, x).shapes[layer]
    maps, gradient = (_as_maps(values.detach(), shape) for values in (outputs[0], gradient))
    return (gradient.mean((1, 2), True) * maps).sum(0)


def _as_maps(values: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The maps (C, h, w) that one image's output of a layer holds."""
    if values.shape[1:] == shape:
        return values[0]
    channels, height, width = shape
    tokens = values.reshape(-1, channels)[-height * width :]  # without a class token, which comes first
    return tokens.T.reshape(shape)


def test_the_oracle_takes_tokens_and_channels_last_apart() -> None:
    maps = torch.arange(24.0).reshape(4, 2, 3)
    last = maps.permute(1, 2, 0)
    tokens = torch.cat([torch.full((1, 4), -1.0), last.reshape(6, 4)])
    for values in (maps, last, tokens):
        assert torch.equal(_as_maps(values[None], (4, 2, 3)), maps)


EVERY = [*ODD, *ARCHITECTURES]


@pytest.mark.parametrize("name", EVERY)
def test_it_runs_as_it_is(name: str, untouched: Callable) -> None:
    net = built(name)
    with untouched(net):
        seen = seen_by(name)
    if name != "Compiled":
        with torch.no_grad():
            np.testing.assert_allclose(seen.logits, net(image(name).clone())[0], rtol=1e-4, atol=1e-5)
    assert all(maps.ndim == 3 for maps in seen.maps.values())


@pytest.mark.parametrize("name", EVERY)
def test_every_norm_and_activation_of_maps_can_be_chosen(name: str) -> None:
    net, seen = built(name), seen_by(name)
    inside = {layer for block in blocks(net, seen) for layer in stages(block, seen).values()}
    missing = [
        layer
        for layer in seen.maps
        if stage_of(layer_module(net, layer)) in ("conv", "norm", "act") and layer not in inside
    ]
    assert not missing


@pytest.mark.parametrize("name", EVERY)
def test_heat_maps_and_evidence(name: str) -> None:
    net, x, layers = built(name), image(name), chosen(name)
    heats = attribute_many(net, x, ["grad_cam"], layers, 1)["grad_cam"]
    evidence = evidence_many(net, x, layers, 1)
    for layer in layers:
        assert heats[layer].values.shape == seen_by(name).maps[layer].shape[1:]
        np.testing.assert_allclose(evidence[layer].values, heats[layer].values, rtol=1e-4, atol=1e-7)
        plain = "#" not in layer and not list(layer_module(net, layer).children())
        if plain:
            wanted = grad_cam(net, x, layer, 1).numpy()
            np.testing.assert_allclose(heats[layer].values, wanted, rtol=1e-3, atol=1e-5 * abs(wanted).max())


@pytest.mark.parametrize("name", EVERY)
def test_one_kept_pass_gives_maps_and_gradients(name: str) -> None:
    net, x, seen, layers = built(name), image(name), seen_by(name), chosen(name)
    keep_pass(net, x)  # which finds out what the network writes to
    kept = keep_pass(net, x)
    assert kept.seen.shapes == seen.shapes
    assert kept.seen.inputs == seen.inputs
    maps, gradients = kept.maps(seen.shapes), class_gradients(net, x, layers, (1,), kept)
    assert maps is not None
    for layer in seen.shapes:  # attention of torch takes another way where gradients are taken
        np.testing.assert_allclose(maps[layer], seen.maps[layer], rtol=1e-5, atol=1e-5)
    for layer, (expected,) in class_gradients(net, x, layers, (1,)).items():
        np.testing.assert_allclose(gradients[layer][0].gradients, expected.gradients, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_the_other_results(name: str) -> None:
    net, x, seen = built(name), image(name), seen_by(name)
    for layer in batchnorms(net, seen)[-1:]:
        norm = statistics(net, x, layer)
        np.testing.assert_allclose(
            norm.after, norm.normalized * norm.weight[:, None, None] + norm.bias[:, None, None], atol=1e-4
        )
        np.testing.assert_array_equal(norm.after[0], seen.maps[layer])
    assert list(receptive_fields(net, x)) == list(seen.maps)
    last = chosen(name)[-1]
    off = ablations(net, x, last, [0, len(seen.maps[last]) - 1])
    np.testing.assert_allclose(off.logits, seen.logits, atol=1e-5)
    for block in blocks(net, seen)[:: max(1, len(blocks(net, seen)) // 4)]:
        try:
            steps = probe(net, x, block, 0, 0, 0).steps
        except Problem:
            assert not block.conv or type(layer_module(net, block.conv)) is not nn.Conv2d
            continue
        for step in steps:
            assert step.value == pytest.approx(step.traced, rel=1e-3, abs=1e-3)


# Norms with modules inside


@pytest.mark.parametrize("name", ["NormAct", "GroupNormAct"])
def test_a_norm_with_an_activation_is_shown_before_it(name: str) -> None:
    net, seen = built(name), seen_by(name)
    assert blocks(net, seen) == (Block("conv", "norm", "norm.act"),)
    assert seen.maps["norm"].min() < 0
    np.testing.assert_allclose(seen.maps["norm.act"], net.norm.act(torch.tensor(seen.maps["norm"])))
    assert seen.inputs["norm"].source == "conv"


def test_a_batchnorm_with_an_activation_has_statistics() -> None:
    net, seen = built("NormAct"), seen_by("NormAct")
    assert batchnorms(net, seen) == ("norm",)
    assert relu_behind(net, seen, "norm") == "norm.act"
    kinds = [type(step).__name__ for step in probe(net, X, blocks(net, seen)[0], 3, 5, 5).steps]
    assert kinds == ["ConvStep", "NormStep", "ActStep"]


def test_a_norm_with_an_activation_is_explained_and_switched_off_before_it() -> None:
    net = built("NormAct")
    evidence = evidence_many(net, X, ["norm", "norm.act"], 2)
    before, after = evidence["norm"], evidence["norm.act"]
    np.testing.assert_array_equal(np.maximum(before.maps, 0), after.maps)
    positive = (before.maps > 0).mean((1, 2))  # the head averages: its gradient passes where ReLU does
    np.testing.assert_allclose(before.weights, after.weights * positive, rtol=1e-4)
    off = ablations(net, X, "norm", [3])
    np.testing.assert_allclose(off.zeroed, ablations(net, X, "norm.act", [3]).zeroed, atol=1e-6)


# Blocks


def test_norms_after_a_concatenation_stand_by_themselves() -> None:
    net, seen = built("PreActivation"), seen_by("PreActivation")
    assert blocks(net, seen) == (
        Block("stem", "norms.0", "acts.0"),
        Block("convs.0"),
        Block(None, "norms.1", "acts.1"),
        Block("convs.1"),
        Block(None, "norms.2"),
    )
    alone = blocks(net, seen)[-1]
    assert alone.name == "norms.2"
    (step,) = probe(net, image("PreActivation"), alone, 2, 3, 4).steps
    assert step.value == pytest.approx(seen.maps["norms.2"][2, 3, 4], abs=1e-5)


def test_densenets_last_norm_is_the_last_block() -> None:
    net, block_list = built("densenet"), blocks(built("densenet"), seen_by("densenet"))
    assert block_list[-1] == Block(None, "features.norm5")
    norms = [path for path, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert sorted(block.norm for block in block_list if block.norm) == sorted(norms)


# What cannot be as usual


def test_attributes_that_cannot_be_copied_are_those_of_the_network() -> None:
    net = built("Uncopyable")
    assert isinstance(net, Uncopyable)
    view = private_view(net)
    assert view.lock is net.lock
    assert view.local["lock"] is net.local["lock"]
    assert view.local["numbers"] is not net.local["numbers"]
    assert view.kept[0] is not net.kept[0]


def test_nothing_is_compiled_to_look_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Compiled()
    net.compile()
    monkeypatch.setattr(torch._dynamo.config, "suppress_errors", False)
    monkeypatch.setattr("torch._dynamo.convert_frame.convert_frame", lambda *_: pytest.fail("compiled"))
    assert "conv._orig_mod.0" in trace(net, X).maps


@pytest.mark.parametrize(
    "program",
    [
        lambda net: torch.jit.trace(net, X),
        lambda net: torch.jit.script(
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        ),
        lambda net: torch.export.export(net, (X,)).module(),
    ],
    ids=["traced", "scripted", "exported"],
)
def test_a_program_is_named_as_what_it_is(program: Callable) -> None:
    with pytest.raises(Problem, match=r"program made by .*give the network as Python code"):
        trace(program(Plain().eval()), X)


def test_a_scripted_part_is_left_out() -> None:
    net = Plain().eval()
    net.conv = torch.jit.script(net.conv)
    assert set(trace(net, X).maps) == {"norm", "act"}
    with pytest.raises(Problem, match="Layer 'conv' is TorchScript"):
        recorded(net, X, ["conv"], lambda *_: None)


def test_a_scripted_part_with_buffers_runs() -> None:
    net = Plain().eval()
    with torch.no_grad():
        expected = net(X).numpy()
    net.norm = torch.jit.script(net.norm)
    for _ in range(2):
        view = private_view(net)
        for _ in range(2):
            np.testing.assert_allclose(view(X).detach(), expected, atol=1e-6)


def test_a_forward_in_inference_mode_is_traced() -> None:
    net = UnderInference().eval()
    assert [block.conv for block in blocks(net, trace(net, X))] == ["conv"]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")  # deprecated, and still in use
def test_a_quantized_network_is_traced() -> None:
    from torch.ao.nn import quantized

    conv = quantized.Conv2d(3, 4, 3)
    net = nn.Sequential(
        quantized.Quantize(0.05, 64, torch.quint8), conv, quantized.DeQuantize(), nn.Flatten()
    )
    seen = trace(net.eval(), X)
    np.testing.assert_array_equal(seen.logits, seen.maps["1"].ravel())


def test_a_layer_that_gives_no_tensor_is_named() -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    class First(nn.Module):
        def forward(self, both: tuple[Tensor, Tensor]) -> Tensor:
            return both[0]

    net = Plain()
    net.act = nn.Sequential(Twice(), First())
    assert trace(net, X).inputs["act.1"].source is None
    with pytest.raises(Problem, match=r"'act\.0' gives no tensor: choose another layer"):
        recorded(net, X, ["act.0"], lambda *_: None)


# Receptive fields


@pytest.mark.parametrize("name", ["resnet", "densenet", "mobilenet", "shufflenet", "convnext", "Crops"])
def test_receptive_fields_are_followed_to_the_end(name: str) -> None:
    fields = receptive_fields(built(name), image(name))
    assert [layer for layer, field in fields.items() if not field.exact] == []


@pytest.mark.parametrize("name", EVERY)
def test_something_can_change_every_position(name: str) -> None:
    receptive = receptive_fields(built(name), image(name)).values()
    assert receptive
    for fields in receptive:
        assert fields.at(len(fields.rows) // 2, len(fields.columns) // 2).reach != (0, 0, 0, 0)


# The arithmetic of a position


@pytest.mark.parametrize(("name", "position"), [("ScaledConv2d", (3, 4)), ("SameConv2d", (15, 15))])
def test_arithmetic_that_is_not_the_layers_own_is_not_spelled_out(
    name: str, position: tuple[int, int]
) -> None:
    (block,) = blocks(built(name), seen_by(name))
    with pytest.raises(Problem, match=f"'conv' is a {name} that computes more than a plain Conv2d"):
        probe(built(name), X, block, 2, *position)
    assert (layer_size(built(name), seen_by(name), "conv") is None) == (name == "SameConv2d")


def test_a_norm_or_pooling_of_another_arithmetic_is_not_spelled_out() -> None:
    class Doubled(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    class Shifted(nn.AvgPool2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 1

    layers = [nn.Conv2d(3, 4, 3), Doubled(4), nn.ReLU(), Shifted(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(*layers).eval()
    (block,) = blocks(net, trace(net, X))
    conv, norm, act = probe(net, X, block, 1, 2, 3).steps  # where the pooling leads is not known
    assert [type(step).__name__ for step in (conv, norm, act)] == ["ConvStep", "ActStep", "ActStep"]
    assert norm.value == norm.traced == pytest.approx(2 * conv.value / (1 + layers[1].eps) ** 0.5, rel=1e-4)


# Channels switched off


@pytest.mark.parametrize("kind", ["kept", "functional"])
def test_ablation_does_not_depend_on_the_batch_where_the_norm_does(kind: str) -> None:
    class Functional(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.batch_norm(x, None, None, training=True)

    torch.manual_seed(0)
    net = Plain().eval()
    net.act = nn.BatchNorm2d(8, track_running_stats=False) if kind == "kept" else Functional()
    net.act = nn.Sequential(net.act, nn.ReLU())
    every = ablations(net, X, "norm")
    one = [ablations(net, X, "norm", [channel]).zeroed[0] for channel in range(8)]
    np.testing.assert_allclose(every.zeroed, one, atol=1e-6)


# Tokens


def test_tokens_are_maps_without_the_class_token() -> None:
    net, x = built("Tokens"), image("Tokens")
    seen = seen_by("Tokens")
    with torch.no_grad():
        patches = net.patches(x).flatten(2).transpose(1, 2)
        tokens = net.norm1(torch.cat([net.token, patches], 1))
    np.testing.assert_allclose(seen.maps["norm1"], tokens[0, 1:].T.reshape(8, 8, 8), atol=1e-6)
    assert "softmax" not in seen.maps
    heat = attribute_many(net, x, ["grad_cam"], ["norm1"], 2)["grad_cam"]["norm1"]
    outputs: list[Tensor] = []
    view = private_view(net)
    with view.norm1.register_forward_hook(lambda _, __, out: outputs.append(out)):
        logits = view(x.clone().requires_grad_() + 0)
    (gradient,) = torch.autograd.grad(logits[0, 2], outputs[0])
    wanted = (gradient[0, 1:].mean(0) * outputs[0][0, 1:]).sum(1).reshape(8, 8)
    np.testing.assert_allclose(heat.values, wanted.detach(), rtol=1e-4, atol=1e-7)


def test_a_channel_of_tokens_is_switched_off_but_for_the_class_token() -> None:
    net, x = built("Tokens"), image("Tokens")
    off = ablations(net, x, "norm2", [0, 5])
    view = private_view(net)

    def zero(_: nn.Module, __: object, out: Tensor) -> Tensor:
        out = out.clone()
        out[:, 1:, 5] = 0
        return out

    with torch.no_grad(), view.norm2.register_forward_hook(zero):
        np.testing.assert_allclose(off.zeroed[1], view(x)[0], atol=1e-6)


def test_what_has_positions_in_a_transformer_is_found() -> None:
    vit, swin, maxvit = (seen_by(name).maps for name in ("vit", "swin", "maxvit"))
    assert vit["encoder.layers.encoder_layer_1.ln_1"].shape == (16, 8, 8)
    assert swin["features.1.0.norm1"].shape == (12, 16, 16)
    assert swin["features.2.norm"].shape == (48, 8, 8)
    assert swin["norm"].shape == (24, 8, 8)
    # windows by tokens are no rows and columns
    windows = (".attn_layer.", ".mlp_layer.", ".partition_", ".departition_swap")
    assert not [layer for layer in maxvit if any(part in layer for part in windows)]
    assert maxvit["blocks.1.layers.0.layers.MBconv.layers.pre_norm"].shape == (8, 24, 24)


def test_channels_last_maps_are_explained_as_they_are() -> None:
    net, x = built("swin"), image("swin")
    heat = attribute_many(net, x, ["grad_cam"], ["norm"], 1)["grad_cam"]["norm"]
    outputs: list[Tensor] = []
    view = private_view(net)
    with view.norm.register_forward_hook(lambda _, __, out: outputs.append(out)):
        logits = view(x.clone().requires_grad_() + 0)
    (gradient,) = torch.autograd.grad(logits[0, 1], outputs[0])
    wanted = (gradient.mean((1, 2), True) * outputs[0]).sum(3)[0].detach()
    np.testing.assert_allclose(heat.values, wanted, rtol=1e-4, atol=1e-7)


def test_several_layers_cost_one_pass() -> None:
    class Counted(nn.Conv2d):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            type(self).calls += 1
            return super().forward(x)

    net = WithConv(Counted(3, 8, 3, padding=1)).eval()
    layers = ["conv", "norm", "act"]
    for many in (
        lambda: attribute_many(net, X, ["grad_cam", "hires_cam"], layers, 1),
        lambda: evidence_many(net, X, layers, 1),
        lambda: statistics_many(net, X, ["norm"]),
        lambda: receptive_fields(net, X),
        lambda: trace(net, X, layers),
    ):
        Counted.calls = 0
        many()
        assert Counted.calls == 1


class NormalizeByChannel(nn.Module):
    """As many networks begin that take pixels from 0 to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return (x - 0.45) / 0.22


def test_what_prepares_the_image_is_no_block() -> None:
    net = nn.Sequential(NormalizeByChannel(), Plain()).eval()
    seen = trace(net, torch.rand(1, 3, 8, 8))
    assert blocks(net, seen) == (Block("1.conv", "1.norm", "1.act"),)


@pytest.mark.parametrize(
    ("name", "stage"),
    [("Normalize", None), ("ImageNormalizer", None), ("InputNorm", None), ("BatchNormalization", "norm"),
     ("LayerNorm2d", "norm"), ("GRN", None), ("PixelNorm", "norm"), ("FrozenBatchNorm2d", "norm"),
     ("Normalization", None), ("FilterResponseNormalization", "norm")],
)  # fmt: skip
def test_the_name_of_a_class_tells_a_norm_from_what_prepares_images(name: str, stage: str | None) -> None:
    assert stage_of(type(name, (nn.Module,), {})()) == stage
