import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, cross_entropy

from model import small_maps
from model.nets import NETS
from model.small_maps import SMALL, convolved, windows

SHAPES = [(3, 5, 4, 4), (2, 4, 1, 1), (2, 3, 2, 5), (1, 2, 3, 3), (0, 3, 4, 4)]


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def convolution(narrow: int, wide: int) -> nn.Conv2d:
    conv = nn.Conv2d(narrow, wide, 3, padding=1, bias=False)
    conv.weight.data = drawn(wide, narrow, 3, 3)
    return conv


@pytest.fixture
def products(monkeypatch):
    """How often a convolution was a product."""
    counted = []
    monkeypatch.setattr(small_maps, "windows", lambda x: (counted.append(x.shape), windows(x))[1])
    return counted


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("last", [False, True])
def test_a_product_is_the_convolution_with_its_gradients(shape, last, products):
    conv, x = convolution(shape[1], 6), drawn(*shape)
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    ours, theirs = x.clone().requires_grad_(), x.double().requires_grad_()
    weight = conv.weight.detach().double().requires_grad_()
    given = drawn(shape[0], 6, *shape[2:])
    made, wanted = convolved(conv, ours), conv2d(theirs, weight, padding=1)
    made.backward(given)
    wanted.backward(given.double())
    assert products
    for got, expected in ((made, wanted), (ours.grad, theirs.grad), (conv.weight.grad, weight.grad)):
        torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5)


def test_under_autocast_it_is_as_near_to_the_truth_as_the_convolution():
    conv, x, given = convolution(24, 32), drawn(16, 24, 4, 4), drawn(16, 32, 4, 4)
    weight = conv.weight.detach().double().requires_grad_()
    conv2d(x.double(), weight, padding=1).backward(given.double())
    apart = []
    for make in (conv, lambda x: convolved(conv, x)):
        conv.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16):
            made = make(x)
        assert made.dtype == torch.bfloat16
        made.backward(given.bfloat16())
        assert conv.weight.grad.dtype == torch.float32
        apart.append((conv.weight.grad - weight.grad).norm() / weight.grad.norm())
    assert apart[1] < 1.1 * apart[0] < 0.01


def test_images_need_no_gradient():
    conv = convolution(3, 4)
    convolved(conv, drawn(2, 3, 4, 4)).sum().backward()
    assert conv.weight.grad.abs().sum() > 0


def test_large_maps_are_left_to_the_convolution(products):
    conv, x = convolution(3, 4), drawn(2, 3, 4, SMALL // 4 + 1)
    assert torch.equal(convolved(conv, x), conv(x))
    assert not products


def test_resnet9_trains_with_products_and_shows_convolutions(products, monkeypatch):
    torch.manual_seed(0)
    net, x, y = NETS["resnet9"](width=8), drawn(8, 3, 32, 32), torch.arange(8)

    def gradients() -> list[torch.Tensor]:
        net.zero_grad(set_to_none=True)
        cross_entropy(net.train()(x), y).backward()
        return [each.grad for each in net.parameters()]

    ours = gradients()
    assert len(products) == 4  # the second residual's two, there and back
    net.eval()(x)
    assert len(products) == 4
    monkeypatch.setattr(small_maps, "SMALL", 0)
    theirs = gradients()
    assert len(products) == 4
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5)
