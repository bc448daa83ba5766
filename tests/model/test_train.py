import errno
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.distributed import DistError

from model import evaluation
from model import train as trainer
from model.checkpoint import digest_of, load_checkpoint
from model.datasets import Dataset
from model.evaluation import evaluate
from model.files import claimed
from model.history import load_history
from model.problems import Problem
from model.recipes import Config
from model.train import main
from model.training import loop
from model.training.loop import train


def drawn(count, seed, size=16):
    """Two classes told apart by brightness."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.integers(0, 120, (count, size, size, 3)) + 100 * labels[:, None, None, None]
    mean, std = (0.45, 0.45, 0.45), (0.25, 0.25, 0.25)
    return Dataset("drawn", images.astype(np.uint8), labels, ("dark", "bright"), mean, std, "noise")


DATA, TEST = drawn(40, 0), drawn(20, 1)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run.safetensors"


def run(out, **settings):
    return train(Config(**({"epochs": 2, "batch_size": 16, "out": str(out)} | settings)), DATA, TEST)


def command(pictures, out, *more):
    """The command line on a folder of images."""
    start = ["--dataset", "folder", "--data-dir", str(pictures), "--epochs", "1", "--out", str(out)]
    return main([*start, *more])


def failed(capsys, code):
    """The one sentence on standard error of a command that failed."""
    said = capsys.readouterr().err
    assert code == 1
    assert said.startswith("error: ")
    assert said.endswith(".\n")
    assert said.count("\n") == 1
    return said


def digest(finished):
    return digest_of(finished.net.state_dict())


# The loop


def test_every_epoch_trains_in_train_mode_and_measures_in_eval_mode(out, monkeypatch):
    modes = []
    real = nn.Dropout.forward
    monkeypatch.setattr(
        nn.Dropout, "forward", lambda self, x: (modes.append(self.training), real(self, x))[1]
    )
    run(out, epochs=3)
    assert modes == 3 * [True, True, True, False]


def test_an_epoch_is_measured_as_it_was_trained_and_the_last_as_others_will(out, monkeypatch):
    rounded = []
    real = nn.Conv2d.forward

    def seen(self, x):
        y = real(self, x)
        if not self.training:
            rounded.append(y.dtype == torch.bfloat16)
        return y

    monkeypatch.setattr(nn.Conv2d, "forward", seen)
    finished = run(out, epochs=3, precision="bf16")
    each = 3  # convolutions
    assert rounded == (3 * each) * [True] + each * [False]
    monkeypatch.undo()
    last = finished.history.epochs[-1]
    assert evaluate(finished.net, TEST, torch.device("cpu")) == (last.test_loss, last.test_accuracy)


def test_the_rate_falls_when_the_test_loss_stops_falling(out, monkeypatch):
    losses = iter([1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    monkeypatch.setattr(loop, "evaluate", lambda *_, **__: (next(losses), 0.5))
    finished = run(out, epochs=8, lr=8e-4)
    assert [row.lr for row in finished.history.epochs] == 6 * [8e-4] + 2 * [4e-4]


def test_it_learns(out):
    finished = run(out, epochs=6)
    assert finished.history.epochs[-1].test_accuracy > 0.9
    assert finished.history.epochs[-1].train_loss < finished.history.epochs[0].train_loss


def test_train_figures_are_means_over_the_images_not_the_batches(out, monkeypatch):
    losses = iter([1.0, 2.0, 6.0])
    monkeypatch.setattr(loop, "step", lambda *_: (next(losses), 4))
    row = run(out, epochs=1).history.epochs[0]
    assert row.train_loss == pytest.approx((16 * 1 + 16 * 2 + 8 * 6) / 40)
    assert row.train_accuracy == pytest.approx(12 / 40)


def test_evaluation_counts_every_image_once(monkeypatch):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    device = torch.device("cpu")
    whole = evaluate(net, TEST, device)
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", 7)
    assert evaluate(net, TEST, device) == pytest.approx(whole)
    x = (torch.from_numpy(TEST.images).permute(0, 3, 1, 2) / 255 - 0.45) / 0.25
    logits, labels = net(x), torch.from_numpy(TEST.labels)
    assert whole[0] == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-5)
    assert whole[1] == (logits.argmax(1) == labels).sum().item() / 20


def test_the_same_seed_gives_the_same_weights_another_others(tmp_path):
    first, same, other = (run(tmp_path / f"{n}.safetensors", seed=seed) for n, seed in enumerate((1, 1, 2)))
    assert digest(first) == digest(same) != digest(other)
    assert first.history.losses == same.history.losses


def test_every_epoch_shows_each_image_once_in_an_order_of_its_own():
    numbered = np.zeros((40, 16, 16, 3), np.uint8)
    data = Dataset("n", numbered, np.arange(40), tuple(map(str, range(40))), (0, 0, 0), (1, 1, 1), "")
    config = Config(batch_size=16)
    orders = [torch.cat([y for _, y in loop.batches(data, config, epoch)]).tolist() for epoch in (1, 2)]
    assert [sorted(order) for order in orders] == 2 * [list(range(40))]
    assert orders[0] != orders[1] != list(range(40))


def test_time_left_counts_measuring_too_up_to_where_the_run_stops(out, capsys, monkeypatch):
    now = [0.0]

    def taking(seconds, result):
        def spend(*_):
            now[0] += seconds
            return result

        return spend

    clock = SimpleNamespace(perf_counter=lambda: now[0], monotonic=lambda: now[0])
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "step", taking(1, (0.5, 8)))
    monkeypatch.setattr(loop, "evaluate", taking(60, (0.5, 0.5)))
    finished = run(out, epochs=9, stop_after=3)
    told = [line.split()[-1] for line in capsys.readouterr().out.splitlines()[3:6]]
    assert told == ["2:06", "1:03", "0:00"]
    assert [(row.seconds, row.images_per_second) for row in finished.history.epochs] == 3 * [(3, 40 / 3)]


# What it leaves


def test_a_command_leaves_checkpoint_history_and_pictures(pictures, out, capsys):
    assert command(pictures, out, "--epochs", "2") == 0
    checkpoint = load_checkpoint(out)
    assert checkpoint.card.epoch == 2
    assert checkpoint.card.classes == ("bright", "dark", "middle")
    assert checkpoint.card.config["batch_size"] == 64
    assert str(pictures) not in str(checkpoint.card.config)
    history = load_history(out.with_name("run.history.json"))
    assert len(history.epochs) == len(history.losses) == 2
    assert history.epochs[-1].test_loss == pytest.approx(checkpoint.card.metrics["test_loss"], abs=1e-6)
    for kind in ("loss", "epochs"):
        assert Image.open(out.with_name(f"run.{kind}.png")).format == "PNG"
    printed = capsys.readouterr().out.splitlines()
    assert printed[5].split()[:3] == ["epoch", "train", "loss"]
    assert [line.split()[0] for line in printed[6:8]] == ["1", "2"]
    assert str(out) in printed[8]


def test_the_checkpoint_gives_the_accuracy_its_card_says(out):
    finished = run(out)
    loss, accuracy = evaluate(load_checkpoint(out).build(), TEST, torch.device("cpu"))
    assert (loss, accuracy) == pytest.approx(
        (finished.history.epochs[-1].test_loss, finished.history.epochs[-1].test_accuracy), abs=1e-6
    )


def test_snapshots_start_with_the_untrained_network(out):
    run(out, epochs=3, snapshot_every=2)
    folder = out.with_name("run.snapshots")
    assert sorted(file.name for file in folder.iterdir()) == [f"epoch-000{n}.safetensors" for n in (0, 2)]
    untrained = load_checkpoint(folder / "epoch-0000.safetensors")
    assert untrained.card.epoch == 0
    assert untrained.card.metrics == {}
    torch.testing.assert_close(untrained.state["bn1.running_mean"], torch.zeros(32))


def test_a_new_run_removes_the_snapshots_of_the_last(out):
    run(out, snapshot_every=1)
    run(out, epochs=1)
    assert not list(out.with_name("run.snapshots").iterdir())


def test_limit_takes_images_of_every_class(pictures, out):
    assert command(pictures, out, "--limit", "5") == 0
    assert "trained on 5 images, measured on 5" in load_checkpoint(out).card.data


# What goes wrong


def test_an_interruption_saves_what_there_is_and_says_where(pictures, out, capsys, monkeypatch):
    real, calls = loop.step, []

    def interrupted(*given):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(loop, "step", interrupted)
    assert command(pictures, out, "--epochs", "9") == 130
    assert load_checkpoint(out).card.epoch == 2
    said = capsys.readouterr().err
    assert "Stopped in epoch 3" in said
    assert str(out) in said


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good_weights(
    pictures, out, capsys, monkeypatch
):
    real, calls = loop.step, []

    def broken(*given):
        calls.append(real(*given))
        return (float("nan"), 0) if len(calls) == 2 else calls[-1]

    monkeypatch.setattr(loop, "step", broken)
    said = failed(capsys, command(pictures, out, "--epochs", "3"))
    assert "The loss is nan at step 2" in said
    assert "reduce --lr" in said
    assert f"epoch 1 are in {out}" in said
    assert load_checkpoint(out).card.epoch == 1


def test_weights_that_blow_up_in_the_last_step_are_not_saved(out):
    with pytest.raises(Problem, match=r"^The loss is (nan|inf) at step .*nothing was saved\)\.$"):
        run(out, lr=1e30, epochs=1, batch_size=40)
    assert not out.exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have no modes there")
@pytest.mark.parametrize("where", ["missing/../file/x.safetensors", "x.pt", "."])
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    pictures, tmp_path, capsys, where, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setattr(trainer, "images_of", None)  # must not be reached
    said = failed(capsys, command(pictures, tmp_path / where))
    assert "--out" in said


def test_a_full_disk_is_one_sentence_and_the_last_checkpoint_stays(pictures, out, capsys, monkeypatch):
    assert command(pictures, out) == 0
    before = out.read_bytes()
    capsys.readouterr()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("model.files.os.fsync", full)
    monkeypatch.setattr(trainer, "check_writable", lambda _: None)  # there was room at the start
    said = failed(capsys, command(pictures, out, "--seed", "5", "--overwrite"))
    assert "No space left on device" in said
    assert str(out.with_name("run.state.pt")) in said
    assert out.read_bytes() == before


@pytest.fixture
def broken(pictures, out, capsys, monkeypatch):
    """What the command says when its first step fails with an error."""

    def said(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(loop, "step", fail)
        return failed(capsys, command(pictures, out))

    return said


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_one_sentence(broken, error):
    said = broken(error)
    assert "memory" in said
    assert "--batch-size" in said


def test_a_last_batch_too_small_for_batchnorm_is_one_sentence(pictures, out, capsys):
    flags = ("--net", "resnet9", "--width", "4", "--size", "8", "--limit", "15", "--batch-size", "7")
    said = failed(capsys, command(pictures, out, *flags))
    assert said.startswith("error: BatchNorm needs more than one value per channel, but the size of a ")
    assert "--batch-size" in said


@pytest.mark.skipif(os.name == "nt", reason="needs flock")
def test_two_runs_do_not_write_to_one_place(pictures, out, capsys):
    with claimed(out.with_name("run.lock")) as mine:
        assert mine
        said = failed(capsys, command(pictures, out))
        assert f"Another run is writing to {out}" in said
        assert sorted(path.name for path in out.parent.iterdir()) == ["run.lock"]
    assert command(pictures, out) == 0
    assert not out.with_name("run.lock").exists()


def test_without_a_compiler_it_is_one_sentence(broken):
    from torch._inductor.exc import InvalidCxxCompiler

    said = broken(InvalidCxxCompiler())
    assert said.startswith("error: torch.compile failed for this network (InvalidCxxCompiler: No working")
    assert "train without --compile" in said


@pytest.mark.parametrize(
    "error", [RuntimeError("[/gloo/pair.cc:547] Connection closed by peer"), DistError()]
)
def test_a_lost_process_is_one_sentence(broken, error):
    said = broken(error)
    assert "Another process of this run has ended" in said
    assert "--resume" in said


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def signals():
    """Signals as at a terminal: to what runs in the background of a shell, Ctrl-C says nothing."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    kept = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_second_signal_does_not_cut_short_what_is_saved(pictures, out, capsys, monkeypatch, number, code):
    real_step, real_save, calls, before = loop.step, loop.restore, [], signal.getsignal(number)

    def signalled(*given):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), number)
        return real_step(*given)

    def again(*given):
        os.kill(os.getpid(), number)
        return real_save(*given)

    monkeypatch.setattr(loop, "step", signalled)
    monkeypatch.setattr(loop, "restore", again)
    assert command(pictures, out, "--epochs", "9") == code
    assert "Stopped in epoch 3; the weights of epoch 2" in capsys.readouterr().err
    assert load_checkpoint(out).card.epoch == 2
    assert load_history(out.with_name("run.history.json")).about.state == "stopped"
    assert signal.getsignal(number) is before


def test_other_errors_of_the_program_itself_are_not_hidden(pictures, out, monkeypatch):
    monkeypatch.setattr(loop, "step", lambda *_: [][1])
    with pytest.raises(IndexError):
        command(pictures, out)


@pytest.mark.parametrize("device", ["cuda:99", "no such", "meta"])
def test_an_unknown_device_is_one_sentence(pictures, out, capsys, device):
    said = failed(capsys, command(pictures, out, "--device", device))
    assert f"“{device}”" in said


def test_data_that_is_not_there_is_one_sentence(tmp_path, out, capsys):
    said = failed(capsys, command(tmp_path / "nowhere", out))
    assert "nowhere" in said


@pytest.mark.parametrize(
    "given", [["--epochs", "0"], ["--lr", "0"], ["--lr", "nan"], ["--seed", "-1"], ["--dataset", "mnist"]]
)
def test_impossible_settings_are_refused_by_name(given, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(given)
    assert stopped.value.code == 2
    assert given[0] in capsys.readouterr().err
