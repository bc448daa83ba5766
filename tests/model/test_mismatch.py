"""What a file has beside a network's weights is left out, and what a prediction would need is named."""

import pytest
import torch
from torch import nn

from model.card import Card
from model.checkpoint import load_checkpoint
from model.nets import NETS
from model.problems import Problem
from tests.model.saved_files import DIGEST, SMALL, STATE, loaded, prefixed, zipped


@pytest.mark.parametrize(
    "extra",
    [
        *("n_averaged", "criterion.weight", "loss_fn.pos_weight", "loss.weight", "train_acc.correct"),
        *("metrics.confusion", "total_ops", "total_params", "conv1.total_ops", "aux.conv.weight"),
        *("val_accuracy.total", "best_acc", "ema_decay", "AuxLogits.fc.weight", "ema.conv1.weight"),
    ],
)
def test_extra_entries_are_left_out_by_name(tmp_path, extra):
    checkpoint = loaded(tmp_path, zipped({**STATE, extra: torch.ones(())}))
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.unused == (extra,)
    assert any(extra in each for each in checkpoint.changes.sentences())


def test_what_stands_beside_a_prefix_is_left_out(tmp_path):
    beside = {"head.queue": torch.zeros(4, 7), "projector.0.weight": torch.zeros(2, 2)}
    checkpoint = loaded(tmp_path, zipped({**prefixed("backbone"), **beside}))
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.unused == ("head", "projector")


def test_an_extra_layer_is_not_left_out(tmp_path):
    """Its network would compute something else."""
    for extra in ("conv9.weight", "se.fc.weight", "conv1.lora.weight", "val_proj.weight", "avg.weight"):
        with pytest.raises(Problem, match=f"no {extra}"):
            loaded(tmp_path, zipped({**STATE, extra: torch.zeros(4, 4)}))


@pytest.mark.parametrize(
    ("extra", "shape"),
    [
        ("acc.0.weight", (4, 4, 3, 3)),
        ("attention_ema.weight", (4, 4)),
        ("best_norm.weight", (4,)),
        ("aux_conv.weight", (4, 4, 3, 3)),
    ],
)
def test_a_whole_layer_is_not_left_out_for_its_name(tmp_path, extra, shape):
    with pytest.raises(Problem, match=f"no {extra}"):
        loaded(tmp_path, zipped({**STATE, extra: torch.zeros(shape)}))


@pytest.mark.parametrize(
    ("extra", "value"),
    [
        ("ema.conv1.weight", STATE["conv1.weight"]),
        ("model_ema.modelconv1weight", STATE["conv1.weight"]),
        ("AuxLogits.fc.weight", torch.zeros(3, 8)),
        ("loss.vgg.0.weight", torch.zeros(4, 3, 3, 3)),
    ],
)
def test_copies_and_what_only_training_needs_are_left_out(tmp_path, extra, value):
    assert loaded(tmp_path, zipped({**STATE, extra: value})).changes.unused == (extra,)


def test_buffers_that_are_not_kept_are_left_out(tmp_path):
    class Net(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 2, 1), nn.Flatten())
            self.register_buffer("grid", torch.zeros(3, 3), persistent=False)

    state = Net().state_dict()
    card = Card(classes=("a", "b"))
    plain = loaded(tmp_path, zipped(state), builder=Net, card=card)
    more = loaded(tmp_path, zipped({**state, "grid": torch.zeros(3, 3)}), builder=Net, card=card)
    index = loaded(tmp_path, zipped({**state, "0.index": torch.arange(9)}), builder=Net, card=card)
    assert plain.digest == more.digest == index.digest


def test_another_head_is_named_with_what_to_give(tmp_path):
    def five() -> nn.Module:
        return NETS["course"](**SMALL | {"classes": 5})

    card = Card(classes=tuple("abcde"), input_size=8)
    with pytest.raises(Problem, match=r"has 3 classes, but its network is built with 5; give --classes 3"):
        loaded(tmp_path, zipped(STATE), builder=five, card=card)
    single = NETS["course"](**SMALL | {"classes": 1}).state_dict()
    with pytest.raises(Problem, match=r"has a single output, but .* with 5; write num_classes=1"):
        loaded(tmp_path, zipped(single), builder=five, card=card)


def test_a_smaller_network_does_not_take_a_larger_ones_weights(tmp_path):
    """Every name of a ResNet-18 is in a ResNet-34 with the same shape."""
    from torchvision.models import ResNet
    from torchvision.models.resnet import BasicBlock

    torch.save(ResNet(BasicBlock, [2, 1, 1, 1], 2).state_dict(), tmp_path / "larger.pth")
    with pytest.raises(Problem, match=r"which has no layer1\.1"):
        load_checkpoint(
            tmp_path / "larger.pth", lambda: ResNet(BasicBlock, [1, 1, 1, 1], 2), Card(classes=("a", "b"))
        )
