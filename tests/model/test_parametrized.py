"""Weights by weight_norm and spectral_norm, in every form, opened into every form of their network."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from model.card import Card
from model.checkpoint import Checkpoint, digest_of, load_checkpoint
from model.problems import Problem

CARD = Card(classes=("a", "b", "c"), input_size=8)
X = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def plain() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3))


def with_norm(norm: Callable[[nn.Module], nn.Module]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        net = plain()
        for index in (0, 2, 6):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                norm(net[index])
        return net

    return build


BUILDERS = {
    "weight": {
        "old": with_norm(torch.nn.utils.weight_norm),
        "new": with_norm(parametrizations.weight_norm),
        "plain": plain,
    },
    "all dimensions": {
        "old": with_norm(lambda module: torch.nn.utils.weight_norm(module, dim=None)),
        "new": with_norm(lambda module: parametrizations.weight_norm(module, dim=None)),
        "plain": plain,
    },
    "spectral": {
        "old": with_norm(torch.nn.utils.spectral_norm),
        "new": with_norm(parametrizations.spectral_norm),
        "plain": plain,
    },
}


def trained(net: nn.Module) -> nn.Module:
    """After some steps, so that no length is the first one, and the singular vectors are found."""
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(30):
        optimizer.zero_grad()
        net(X)[:, 0].exp().mean().backward()
        optimizer.step()
    return net.eval()


def opened(state: dict[str, Tensor], builder: Callable[[], nn.Module], folder: Path) -> Checkpoint:
    torch.save({"model": {f"module.{name}": value for name, value in state.items()}}, folder / "a.pth")
    return load_checkpoint(folder / "a.pth", builder, CARD)


@pytest.mark.parametrize("into", ["old", "new", "plain"])
@pytest.mark.parametrize("of", ["old", "new"])
@pytest.mark.parametrize("kind", BUILDERS)
def test_every_form_opens_into_every_form(kind: str, of: str, into: str, tmp_path: Path) -> None:
    net, builder = trained(BUILDERS[kind][of]()), BUILDERS[kind][into]
    checkpoint = opened(net.state_dict(), builder, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.build()(X), net(X), rtol=1e-4, atol=1e-6)
    said = "3 weights of weight_norm, spectral_norm or pruning were converted"
    assert any(said in sentence for sentence in checkpoint.changes.sentences()) == (of != into)
    if into == "plain" and of == "new":  # the oracle: PyTorch's own removal
        for index in (0, 2, 6):
            parametrize.remove_parametrizations(net[index], "weight")
        for name, value in net.state_dict().items():
            torch.testing.assert_close(checkpoint.state[name], value, rtol=1e-5, atol=1e-6)
    if of == into:
        assert checkpoint.digest == digest_of(net.state_dict())


@pytest.mark.parametrize("into", ["old", "new"])
def test_fused_weights_open_where_the_network_has_weight_norm(into: str, tmp_path: Path) -> None:
    net = trained(plain())
    checkpoint = opened(net.state_dict(), BUILDERS["weight"][into], tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.build()(X), net(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("into", ["old", "new"])
def test_fused_weights_do_not_open_where_the_network_has_spectral_norm(into: str, tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match=r"has 0\.weight as it is without spectral_norm, .* without spectral_norm"
    ):
        opened(plain().state_dict(), BUILDERS["spectral"][into], tmp_path)


@pytest.mark.parametrize("into", ["plain", "pruned"])
@pytest.mark.parametrize("whole", [False, True])
def test_pruned_weights_open(whole: bool, into: str, tmp_path: Path) -> None:
    pruned = with_norm(lambda module: prune.l1_unstructured(module, "weight", 0.5))
    net = trained(pruned())
    torch.save(net if whole else net.state_dict(), tmp_path / "a.pt")
    checkpoint = load_checkpoint(tmp_path / "a.pt", plain if into == "plain" else pruned, CARD)
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.build()(X), net(X), rtol=0, atol=0)
    if into == "plain":  # the oracle: PyTorch's own removal
        for index in (0, 2, 6):
            prune.remove(net[index], "weight")
        assert checkpoint.digest == digest_of(net.state_dict())


def test_parts_that_do_not_belong_together_are_one_sentence(tmp_path: Path) -> None:
    state = BUILDERS["weight"]["old"]().state_dict()
    for wrong in (torch.ones(7, 1, 1, 1), torch.ones(2, 2), torch.ones(4, 1, 1, 1, dtype=torch.long)):
        with pytest.raises(Problem, match=r"does not fit its network"):
            opened(state | {"0.weight_g": wrong}, plain, tmp_path)
    state = BUILDERS["spectral"]["old"]().state_dict()
    with pytest.raises(Problem, match=r"does not fit its network"):
        opened(state | {"0.weight_u": torch.ones(5)}, plain, tmp_path)


def test_a_whole_module_with_weight_norm_opens(tmp_path: Path) -> None:
    net = trained(BUILDERS["weight"]["old"]())
    file = io.BytesIO()
    torch.save(net, file)
    (tmp_path / "a.pt").write_bytes(file.getvalue())
    with torch.no_grad():
        torch.testing.assert_close(load_checkpoint(tmp_path / "a.pt", plain, CARD).build()(X), net(X))
