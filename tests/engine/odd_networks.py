"""Small replicas of the networks that people really have, each with something that is not as usual."""

import threading
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


class NormAct(nn.BatchNorm2d):
    """As timm's BatchNormAct2d: a norm with a dropout and an activation inside."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.drop, self.act = nn.Identity(), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.drop(super().forward(x)))


class GroupNormAct(nn.GroupNorm):
    """As timm's GroupNormAct."""

    def __init__(self, width: int) -> None:
        super().__init__(2, width)
        self.drop, self.act = nn.Identity(), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.drop(F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)))


class FrozenBatchNorm2d(nn.Module):
    """As torchvision's: no BatchNorm by its class, but by its name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.rand(1, width, 1, 1) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class ScaledConv2d(nn.Conv2d):
    """Weight standardization, as in a ResNetV2 of Big Transfer."""

    def forward(self, x: Tensor) -> Tensor:
        mean, std = self.weight.mean((1, 2, 3), True), self.weight.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, (self.weight - mean) / std, self.bias, self.stride, self.padding)


class SameConv2d(nn.Conv2d):
    """TensorFlow's “same” padding, which depends on the input."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for axis in (1, 0):
            size, kernel, stride = x.shape[2 + axis], self.kernel_size[axis], self.stride[axis]
            pad = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [pad // 2, pad - pad // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride)


class Concat(nn.Module):
    """YOLO's: called with a list."""

    def forward(self, tensors: list[Tensor]) -> Tensor:
        return torch.cat(tensors, 1)


class Plain(nn.Module):
    """One block, which most of the others change in one thing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.norm(self.conv(x))).mean((2, 3)))


class WithNorm(Plain):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm, self.act = norm, nn.Identity()


class WithConv(Plain):
    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv


class WeighsChannels(Plain):
    """A weight for every channel from a 1-D convolution over them, as in ECA-Net."""

    def __init__(self, last: bool = False) -> None:
        super().__init__()
        self.mix, self.gate, self.axis = nn.Conv1d(1, 1, 3, padding=1), nn.Sigmoid(), 2 if last else 1

    def forward(self, x: Tensor) -> Tensor:
        maps = self.act(self.norm(self.conv(x)))
        mixed = self.mix(maps.mean((2, 3)).unsqueeze(1)).squeeze(1)
        weights = self.gate(mixed.unsqueeze(self.axis))
        return self.head((maps * weights.reshape(-1, 8, 1, 1)).mean((2, 3)))


class Keywords(Plain):
    """Keyword arguments, None, and a list."""

    def __init__(self) -> None:
        super().__init__()
        self.concat, self.last = Concat(), nn.Conv2d(16, 8, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        y = self.act(input=self.norm(input=self.conv(input=x)))
        return self.head(self.last(input=self.concat([y, y.neg()])).mean((2, 3)))


class TakesNone(Plain):
    """A layer that is given None, then the maps."""

    class Masked(nn.Module):
        def forward(self, mask: Tensor | None, x: Tensor) -> Tensor:
            return x if mask is None else x * mask

    def __init__(self) -> None:
        super().__init__()
        self.masked = self.Masked()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.masked(None, self.norm(self.conv(x)))).mean((2, 3)))


class ReturnsNothing(Plain):
    """`train` and `eval` that forget to return the network."""

    def train(self, mode: bool = True) -> None:  # type: ignore[override]
        super().train(mode)

    def eval(self) -> None:  # type: ignore[override]
        super().eval()


class Uncopyable(Plain):
    """Attributes that deepcopy refuses: a lock, an open file, a module of Python, a pool, a graph tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.file, self.functions = threading.Lock(), open(__file__), F  # noqa: SIM115
        self.local = {"lock": threading.RLock(), "numbers": [1, 2]}
        self.steps = iter(range(3)), (n for n in range(3))
        self.kept = [self.conv(torch.zeros(1, 3, 8, 8))]


class ExtraState(Plain):
    def get_extra_state(self) -> dict[str, int]:
        return {"calls": 3}

    def set_extra_state(self, state: dict[str, int]) -> None:
        assert state == {"calls": 3}


class NormalizesInPlace(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(0.4).div_(0.2))


class Crops(Plain):
    """Crops by slices and by negative padding."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x[..., 1:-1, 2:], (-1, -1, -1, -2)))


class UnderInference(Plain):
    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Compiled(Plain):
    """A compiled part; nothing is compiled when it is looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.compile(nn.Sequential(self.conv))


class Volumes(Plain):
    """A 3-D convolution over channels as depth."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Conv3d(1, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.deep(x[:, None]).mean(1))


class Tokens(nn.Module):
    """A small vision transformer: patches, a class token, one attention, one MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.randn(1, 1, 8))
        self.norm1, self.qkv, self.softmax = nn.LayerNorm(8), nn.Linear(8, 24), nn.Softmax(-1)
        self.norm2, self.mlp = nn.LayerNorm(8), nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        q, k, v = (part.unflatten(2, (2, 4)).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, 2))
        x = x + (self.softmax(q @ k.transpose(2, 3)) @ v).transpose(1, 2).flatten(2)
        return self.head((x + self.mlp(self.norm2(x)))[:, 0])


class PreActivation(nn.Module):
    """A small dense network: norm, activation and convolution after concatenations, and a norm at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in (6, 10, 14))
        self.convs = nn.ModuleList(nn.Conv2d(width, 4, 3, padding=1) for width in (6, 10))
        self.acts = nn.ModuleList(nn.ReLU(inplace=True) for _ in range(2))
        self.head = nn.Linear(14, 5)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.stem(x)]
        for norm, act, conv in zip(self.norms, self.acts, self.convs, strict=False):
            kept.append(conv(act(norm(torch.cat(kept, 1)))))
        return self.head(F.relu(self.norms[2](torch.cat(kept, 1))).mean((2, 3)))


class Checkpointed(Plain):
    """Reentrant checkpointing, which runs the layers again in a backward pass."""

    def forward(self, x: Tensor) -> Tensor:
        maps = checkpoint(lambda x: self.act(self.norm(self.conv(x))), x, use_reentrant=True)
        return self.head(maps.mean((2, 3)))


class Private(Plain):
    """A layer under a private name, which Python makes `_Private__last`."""

    def __init__(self) -> None:
        super().__init__()
        self.__last = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.__last(self.act(self.norm(self.conv(x)))).mean((2, 3)))


class HooksMaps(Plain):
    """Keeps the gradient of its own maps, as tutorials of Grad-CAM write it."""

    def forward(self, x: Tensor) -> Tensor:
        maps = self.act(self.norm(self.conv(x)))
        maps.register_hook(self.keep)
        return self.head(maps.mean((2, 3)))

    def keep(self, gradient: Tensor) -> None:
        self.gradient = gradient


class Copies(Plain):
    """Test-time augmentation inside: the image and its mirror image as one batch."""

    def forward(self, x: Tensor) -> Tensor:
        both = super().forward(torch.cat([x, x.flip(3)]))
        return (both[: len(x)] + both[len(x) :]) / 2


def perceptron() -> nn.Module:
    """A network without a convolution."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 8), nn.ReLU(), nn.Linear(8, 5))


ODD: dict[str, Callable[[], nn.Module]] = {
    "NormAct": lambda: WithNorm(NormAct(8)),
    "GroupNormAct": lambda: WithNorm(GroupNormAct(8)),
    "FrozenBatchNorm2d": lambda: WithNorm(FrozenBatchNorm2d(8)),
    "ScaledConv2d": lambda: WithConv(ScaledConv2d(3, 8, 3, padding=1)),
    "SameConv2d": lambda: WithConv(SameConv2d(3, 8, 3, 2)),
    "WeighsChannels": WeighsChannels,
    "Keywords": Keywords,
    "TakesNone": TakesNone,
    "ReturnsNothing": ReturnsNothing,
    "Uncopyable": Uncopyable,
    "ExtraState": ExtraState,
    "NormalizesInPlace": NormalizesInPlace,
    "Crops": Crops,
    "Compiled": Compiled,
    "Volumes": Volumes,
    "Tokens": Tokens,
    "PreActivation": PreActivation,
    "WithoutRunningStatistics": lambda: WithNorm(nn.BatchNorm2d(8, track_running_stats=False)),
}


def same_padding() -> nn.Module:
    """A network with TensorFlow's “same” padding."""
    return ODD["SameConv2d"]()


def frozen_norm() -> nn.Module:
    """A network whose norm is a module of one's own, with statistics from training."""
    return ODD["FrozenBatchNorm2d"]()


def activated_norm() -> nn.Module:
    """A network whose norm has an activation inside."""
    return ODD["NormAct"]()


def scripted() -> nn.Module:
    """A program by TorchScript."""
    return torch.jit.trace(Plain().eval(), torch.zeros(1, 3, 32, 32))


def exported() -> nn.Module:
    """A program by torch.export."""
    return torch.export.export(Plain().eval(), (torch.zeros(1, 3, 32, 32),)).module()


def to_one_position() -> nn.Module:
    """The last block's maps have one position, the others several."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 4), nn.ReLU(), nn.Conv2d(8, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 5)
    )


def vgg16_bn(num_classes: int) -> nn.Module:
    """As torchvision's, with few hidden values: those of the usual one have 120 million weights."""
    from torchvision.models import vgg

    with torch.device("meta"):
        net = vgg.vgg16_bn(num_classes=num_classes, init_weights=False)
    net.features = vgg.make_layers(vgg.cfgs["D"], batch_norm=True)
    hidden = [nn.Linear(512 * 7 * 7, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 16), nn.ReLU(True)]
    net.classifier = nn.Sequential(*hidden, nn.Dropout(), nn.Linear(16, num_classes))
    return net
