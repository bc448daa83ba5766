import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from model.builders import load_builder
from model.checkpoint import load_checkpoint
from model.datasets import load
from model.evaluation import evaluate
from model.example_log import load_log, path_of_log
from model.history import load_history
from model.processes import WHOLE, WholeBatchNorm, all_reduce_sum, rank, shard, world_size
from model.train import main
from tests import forks

ROOT = Path(__file__).parents[2]
# SGD: Adam divides by a gradient's size, and so makes much of the rounding in those that are 0 but for it.
SGD = {"--optimizer": "sgd", "--lr": "0.01", "--dropout": "0.5", "--snapshot-every": "10"}
SMALL = {"--epochs": "13", "--batch-size": "7", "--size": "16", "--width": "4"}
FLAGS = [word for pair in (SGD | SMALL).items() for word in pair]


@pytest.fixture
def alone():
    """A process group of this process only."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def by_two(*flags, cwd=ROOT):
    """The command in two processes: what the first prints, and the warnings and errors of both."""
    first, second = forks.torchrun(2, "-m", "model.train", *flags, cwd=cwd, path=str(ROOT))
    assert second.stdout == ""
    return subprocess.CompletedProcess(
        flags, first.returncode or second.returncode, first.stdout, first.stderr + second.stderr
    )


def by_torchrun(*flags, cwd=ROOT):
    """The command in two processes that torchrun starts and ends."""
    together = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command = [*together, "-m", "model.train", *flags]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=1200, cwd=cwd, env=environment)


def rows(printed):
    """The lines below the head of the table, one for each epoch."""
    return [line for line in printed.splitlines() if line[:5].strip().isdigit()]


def test_two_processes_come_to_what_one_does(pictures, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    flags = [*FLAGS, "--dataset", "folder", "--data-dir", str(pictures), "--log-examples"]
    assert main([*flags, "--out", str(one)]) == 0
    done = by_two(*flags, "--out", str(two))
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in rows(done.stdout)] == [str(n) for n in range(1, 14)]
    first, second = (load_history(path.with_name(f"{path.stem}.history.json")) for path in (one, two))
    assert len(first.losses) == len(second.losses) == 52  # batches of 7, 7, 7, 3: no two shares alike
    np.testing.assert_allclose(second.losses, first.losses, atol=1e-4, rtol=0)
    for name in ("train_accuracy", "test_accuracy"):
        values = [[getattr(row, name) for row in each.epochs] for each in (first, second)]
        np.testing.assert_allclose(*values)
    losses = [[row.test_loss for row in each.epochs] for each in (first, second)]
    np.testing.assert_allclose(*losses, atol=1e-4)
    states = [load_checkpoint(path).state for path in (one, two)]
    assert states[0].keys() == states[1].keys()
    torch.testing.assert_close(states[1], states[0], atol=1e-4, rtol=1e-4)
    assert [name for name in states[0] if "running" in name]
    logs = [load_log(path_of_log(path)).confidence for path in (one, two)]
    np.testing.assert_allclose(*logs, atol=2e-3)  # NaN, an image not seen, is equal only to NaN
    assert not np.isnan(logs[0]).any()
    left = [
        {path.name.removeprefix(each.stem) for path in tmp_path.rglob(f"{each.stem}*")} for each in (one, two)
    ]
    assert left[0] == left[1]


ODD = """
import torch
from torch import nn

class Odd(nn.Module):
    '''Tied weights, a layer that runs twice, one that every other step uses and one that none does, and
    a buffer that is gathered from the batch and used when measuring.'''

    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.same, self.norm = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
        self.same.weight = self.conv.weight
        self.fc, self.rare, self.never = (nn.Linear(3, num_classes) for _ in range(3))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("seen", torch.zeros(1, 3, 1, 1))

    def forward(self, x):
        x = self.norm(self.norm(self.same(self.conv(x)).relu()))
        if self.training:
            self.steps += 1
            self.seen.lerp_(x.detach().mean((0, 2, 3), keepdim=True), 0.1)
        means = (x if self.training else x - self.seen).relu().mean((2, 3))
        return self.fc(means) + (self.rare(means) if self.steps % 2 else 0)
"""


def test_a_network_of_ones_own_may_leave_weights_unused_and_gather_buffers(pictures, tmp_path, monkeypatch):
    (tmp_path / "odd_network.py").write_text(ODD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    flags = ["--net", "odd_network:Odd", "--dataset", "folder", "--data-dir", str(pictures), "--size", "16"]
    flags += ["--epochs", "3", "--batch-size", "7", "--optimizer", "sgd", "--ema", "0.5", "--augment", "none"]
    assert main([*flags, "--out", "one.safetensors"]) == 0
    done = by_two(*flags, "--out", "two.safetensors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr
    one, two = (load_history(tmp_path / f"{name}.history.json") for name in ("one", "two"))
    np.testing.assert_allclose(two.losses, one.losses, atol=1e-4, rtol=0)
    left = load_checkpoint(tmp_path / "two.safetensors", load_builder("odd_network:Odd", {"num_classes": 3}))
    test = load("folder", pictures, "test", 16)
    said = two.epochs[-1]
    measured = evaluate(left.build(), test, torch.device("cpu"))
    assert (said.test_loss, said.test_accuracy) == pytest.approx(measured, abs=1e-5)


KINDS = {"plain": {}, "own momentum": {"momentum": None}, "bare": {"affine": False}}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 7), (6, 5, 4, 4)], ids=str)
def test_statistics_over_the_whole_batch_are_batchnorms_own(alone, shape, settings):
    torch.manual_seed(0)
    plain = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)](5, **settings)
    whole = copy.deepcopy(plain)
    whole.__class__ = WHOLE[type(whole)]
    x = torch.randn(shape) * 2 + 3
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    weights = torch.randn(shape)
    for norm, values in zip((plain, whole), inputs, strict=True):
        (norm(values) * weights).sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, atol=1e-5, rtol=1e-4)
    gradients = [[each.grad for each in norm.parameters()] for norm in (plain, whole)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(whole(x), plain(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(whole.state_dict(), plain.state_dict())
    torch.testing.assert_close(whole.eval()(x), plain.eval()(x))


def test_statistics_keep_their_digits_far_from_zero(alone):
    x = torch.randn(8, 1, 9, 9, generator=torch.Generator().manual_seed(0)) * 0.01 + 1000
    exact = (x.double() - x.double().mean()) / (x.double().var(correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(WholeBatchNorm(1)(x).double(), exact, atol=0.05, rtol=0)


@pytest.mark.parametrize("lengths", [[3, 2], [1, 0], [2, 2, 1]], ids=str)
@pytest.mark.parametrize("kind", [nn.Dropout, nn.Dropout2d])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_dropout_of_the_shares_is_dropout_of_the_batch(monkeypatch, lengths, kind, layout):
    x = torch.randn(sum(lengths), 6, 3, 3).contiguous(memory_format=layout)
    torch.manual_seed(4)
    expected = kind(0.3)(x)
    monkeypatch.setattr("model.processes.all_lengths", lambda rows: lengths)
    for number, (share, rows) in enumerate(zip(x.split(lengths), expected.split(lengths), strict=True)):
        monkeypatch.setattr("model.processes.rank", lambda number=number: number)
        torch.manual_seed(4)
        torch.testing.assert_close(WHOLE[kind](0.3)(share), rows)
    assert WHOLE[kind](0.3).eval()(x) is x


@pytest.mark.parametrize(("count", "world"), [(10, 2), (7, 3), (1, 4), (0, 2)])
def test_shares_make_up_the_batch(monkeypatch, count, world):
    monkeypatch.setattr("model.processes.world_size", lambda: world)
    parts = []
    for number in range(world):
        monkeypatch.setattr("model.processes.rank", lambda number=number: number)
        parts.append(shard(torch.arange(count)))
    assert torch.cat(parts).tolist() == list(range(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_a_process_by_itself_keeps_what_it_has():
    assert (rank(), world_size()) == (0, 1)
    assert shard(torch.arange(3)).tolist() == [0, 1, 2]
    assert all_reduce_sum(torch.tensor([1.0, 2.0])).tolist() == [1, 2]


def test_several_processes_replace_no_other_run(pictures, tmp_path):
    out = tmp_path / "run.safetensors"
    flags = ["--dataset", "folder", "--data-dir", str(pictures), "--epochs", "1", "--width", "4"]
    assert main([*flags, "--out", str(out)]) == 0
    before = out.read_bytes()
    done = by_torchrun(*flags, "--seed", "1", "--out", str(out))
    assert done.returncode != 0
    assert done.stderr.count("error: There is already a run at ") == 1
    assert "--overwrite" in done.stderr
    assert out.read_bytes() == before
