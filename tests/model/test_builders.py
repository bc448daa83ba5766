"""Networks of one's own in training: their builder is named by a person, never by a file."""

import shlex
import sys

import pytest
import torch

from explorer.engine.network_source import Source
from explorer.engine.opening import open_checkpoint
from model.builders import load_builder, offer
from model.checkpoint import load_checkpoint
from model.problems import Problem
from model.train import main

NETWORKS = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes=10, input_size=32, width=4):
        super().__init__(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
                         nn.AvgPool2d(2), nn.Dropout(0.1), nn.Flatten(),
                         nn.Linear(width * (input_size // 2) ** 2, num_classes))

def lazy(classes):
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes))

def four():
    return Net(4, 12)

def dead():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

class Heads(Net):
    def forward(self, x):
        return {"logits": super().forward(x)}

class Untrainable(Net):
    def forward(self, x):
        return super().forward(x)[None] if self.training else super().forward(x)

def any_way(**settings):
    return settings

def leaves():
    raise SystemExit(3)
"""


@pytest.fixture(autouse=True)
def networks(tmp_path, monkeypatch):
    """The folder in which a module `my_networks` lies, where the person stands."""
    (tmp_path / "my_networks.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    return tmp_path


@pytest.fixture
def run(pictures):
    """The command, on three classes at 12 pixels, one epoch unless said otherwise."""

    def command(*flags):
        small = ("--size", "12", "--epochs", "1", "--batch-size", "8", "--out", "own.safetensors")
        return main([*small, "--dataset", "folder", "--data-dir", str(pictures), *flags])

    return command


@pytest.mark.parametrize("net", ["my_networks:Net", "my_networks:Net(width=6)", "my_networks:lazy"])
def test_a_network_of_ones_own_trains_and_opens_in_the_explorer(networks, pictures, run, net, capsys):
    assert run("--net", net, "--recipe", "fast") == 0
    said = shlex.split(capsys.readouterr().out.splitlines()[-1].removeprefix("Open it with: "))
    options = ["--checkpoint", "own.safetensors", "--net", net, "--data-dir", str(pictures)]
    assert said[3:] == ["--", *options]
    path = networks / "own.safetensors"
    opened = open_checkpoint(Source(path, net))
    assert (opened.card.net, opened.card.classes) == (net, ("bright", "dark", "middle"))
    assert (opened.card.input_size, opened.card.config["net"]) == (12, net)
    built = opened.build()
    assert not built.training
    assert opened.digest == load_checkpoint(path, lambda: built).digest
    assert built(torch.zeros(1, 3, 12, 12)).shape == (1, 3)


def test_a_checkpoint_that_names_a_builder_imports_nothing(networks, run):
    assert run("--net", "my_networks:Net") == 0
    del sys.modules["my_networks"]
    for opening in (load_checkpoint, lambda path: open_checkpoint(Source(path))):
        with pytest.raises(Problem, match=r"my_networks:Net.* give its builder with --net\.$"):
            opening(networks / "own.safetensors")
    assert "my_networks" not in sys.modules


def test_a_run_goes_on_when_its_builder_is_named_again(networks, run, capsys):
    assert run("--net", "my_networks:Net", "--epochs", "2", "--scheduler", "none") == 0
    whole = (networks / "own.safetensors").read_bytes()
    again = ("--overwrite", "--stop-after", "1")
    assert run("--net", "my_networks:Net", "--epochs", "2", "--scheduler", "none", *again) == 0
    del sys.modules["my_networks"]
    assert main(["--resume", "--out", "own.safetensors"]) == 1
    assert "--net 'my_networks:Net' again." in capsys.readouterr().err
    assert "my_networks" not in sys.modules
    assert main(["--resume", "--out", "own.safetensors", "--net", "my_networks:Net(width=5)"]) == 1
    assert "started with --net my_networks:Net" in capsys.readouterr().err
    assert main(["--resume", "--out", "own.safetensors", "--net", "my_networks:Net"]) == 0
    assert (networks / "own.safetensors").read_bytes() == whole


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--net", "my_networks:none"], "has no “none”"),
        (["--net", "my_nowhere:Net"], "no module “my_nowhere”"),
        (["--net", "my_networks:Heads"], "must return nothing but logits (N, K), and this one returns dict"),
        (["--net", "my_networks.py:Net"], "is a file: write its name without “.py”"),
        (["--net", "my_networks:leaves"], "The builder my_networks:leaves failed (SystemExit: 3)"),
        (["--net", "my_networks:Net(width=[])"], "The builder my_networks:Net(width=[]) failed (TypeError"),
        (["--net", "my_networks:four"], "returns 4 logits, but the images have 3 classes"),
        (["--net", "my_networks:Net(input_size=99)"], "cannot process an RGB image of 12 × 12 pixels"),
        (["--net", "my_networks:dead"], "has no weights to train"),
        (["--net", "my_networks:any_way"], "returns a dict"),
        (
            ["--net", "my_networks:Untrainable"],
            "failed in a training step (ValueError: The",
        ),
        (["--net", "my_networks:Net", "--width", "5"], "'package.module:builder(width=5)'"),
        (["--net", "nothing"], "or name your own as package.module:builder"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_one_sentence(networks, run, capsys, flags, said):
    assert run(*flags) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("error: ")
    assert error.endswith(".\n")
    assert error.count("\n") == 1
    assert not (networks / "own.safetensors").exists()


def test_a_builder_gets_what_it_has_a_parameter_for_and_the_text_goes_before():
    net = load_builder("my_networks:Net(num_classes=7)", offer(3, 8))()
    assert net[-1].weight.shape == (7, 4 * 16)
    assert load_builder("my_networks:any_way(a=1)", offer(3, 8))() == {"a": 1, "num_classes": 3}
    assert load_builder("my_networks:any_way(num_classes=7)", offer(3, 8))() == {"num_classes": 7}
    assert load_builder("my_networks:any_way(a=1)")() == {"a": 1}
