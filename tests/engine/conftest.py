"""Small networks with random weights and BatchNorm statistics, and what must not happen to them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from torch import Tensor, nn

from model.nets import NETS

torch.set_num_threads(1)


def settle(net: nn.Module, seed: int = 0) -> nn.Module:
    """Random BatchNorm parameters and statistics, as training leaves them; eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for values, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.3, 0.3),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.2, 0.6),
            ):
                if values is not None:
                    values.data.uniform_(low, high, generator=generator)
    return net.eval()


class Tricky(nn.Module):
    """One ReLU for everything, in place, also in place on functions and sums, and a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(8)
        self.down = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8))
        self.conv3 = nn.Conv2d(8, 6, 3)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += self.down(x)
        y = self.relu(y)
        y = torch.relu_(self.conv3(y))
        logits: Tensor = self.fc(self.pool(y).mean((2, 3)))
        return logits


@pytest.fixture
def course() -> nn.Module:
    torch.manual_seed(0)
    return settle(NETS["course"]())


@pytest.fixture
def tricky() -> nn.Module:
    torch.manual_seed(1)
    return settle(Tricky())


@pytest.fixture
def gap() -> nn.Module:
    """Conv, ReLU, conv, ReLU, global average, linear: here weights and heat maps are known in closed form."""
    torch.manual_seed(2)
    body = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(4, 5)).eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def settled() -> Callable[[nn.Module], nn.Module]:
    return settle


@pytest.fixture
def untouched() -> Callable[[nn.Module], AbstractContextManager[None]]:
    """Fails if the network has another hook, mode, gradient, attribute or weight afterwards."""
    return _untouched


@contextmanager
def _untouched(net: nn.Module) -> Iterator[None]:
    before = _state(net)
    tensors = {n: value.clone() for n, value in net.state_dict().items() if isinstance(value, Tensor)}
    try:
        yield
    finally:
        assert _state(net) == before
        assert all(torch.equal(net.state_dict()[name], value) for name, value in tensors.items())


def _state(net: nn.Module) -> dict[str, object]:
    return {
        path: (
            module.training,
            getattr(module, "inplace", None),
            sorted((name, len(held)) for name, held in vars(module).items() if name.endswith("_hooks")),
            sorted(name for name in vars(module)),
            [
                (name, id(p), p.requires_grad, p.grad is None)
                for name, p in module.named_parameters(recurse=False)
            ],
            [(name, id(b)) for name, b in module.named_buffers(recurse=False)],
        )
        for path, module in net.named_modules()
    }
