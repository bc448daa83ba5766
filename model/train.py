"""Trains a network: `python -m model.train`; by default the course's CNN as the course does.

All randomness derives from the seed, the epoch and the step, never from what ran before; so a run that was
stopped goes on from its last whole epoch (`--resume`) as if nothing had happened.
"""

import math
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from model.allocator import keep_freed_memory
from model.batches import DROPOUT, batches, images_of, seed_for, steps_of
from model.board import open_board, pictures, show
from model.builders import is_own, load_builder, reason_of
from model.command import given
from model.datasets import Dataset
from model.evaluation import evaluate, flip_averaged
from model.failures import Terminated, sentence_of, stopped_once
from model.files import beside, claimed, naming, replacing
from model.history import Epoch, epochs_figure, loss_figure, save_figure
from model.images import few
from model.nets import check_logits
from model.optimizers import follow
from model.processes import (
    all_reduce_sum,
    first_before_others,
    joined,
    rank,
    shard,
    share_buffers,
    world_size,
)
from model.recipes import Config, TrainingError, choose, settled
from model.run import (
    Run,
    begin,
    check_free,
    find_device,
    keep_state,
    restore,
    save,
    say,
    snapshot,
    start,
    tell,
)
from model.schedulers import SCHEDULERS, after_epoch, after_step
from model.state import State, continued, load_state, path_of

ROOT = Path(__file__).resolve().parent.parent  # the project's folder
LIVE_SECONDS = 5.0  # how often the history is written while an epoch goes on


def train(config: Config, data: Dataset, test: Dataset, state: State | None = None) -> Run:
    """Train to the end of `config.epochs`, from `state` on if there is one, saving after every epoch.

    On Ctrl-C, and on an error, what the last whole epoch left stays, to be resumed.
    """
    config = settled(config)
    board = open_board("" if rank() else config.tensorboard, config.path.stem, new=state is None)
    run = start(config, data, test)
    if state is None:
        begin(run)
    else:
        restore(run, state)
    say(_about_run(run))
    try:
        with _written(config, board):
            for _ in epochs(run, data, test, board):
                pass
    except KeyboardInterrupt:
        _interrupted(run)
        raise
    except Exception:
        with suppress(OSError):  # the disk may be what is wrong
            tell(run, "stopped")
        raise
    return run


@contextmanager
def _written(config: Config, board: Any) -> Iterator[None]:
    """Close what TensorBoard reads at the end; where it cannot be written, that is what is named."""
    if board is None:
        yield
        return
    with naming(Path(config.tensorboard)), board:
        yield


def epochs(run: Run, data: Dataset, test: Dataset, board: Any = None) -> Iterator[Epoch]:
    """Train on to the end, or to `stop_after`; each epoch's figures, once all that it leaves is on disk."""
    config = run.config
    last = min(config.epochs, config.stop_after or config.epochs)
    say(_HEADER)
    for epoch in range(len(run.history.epochs) + 1, last + 1):
        began = time.perf_counter()
        run.history.epochs.append(_epoch(run, data, test, epoch))
        snapshot(run)
        if board is not None:
            show(board, run.history, pictures(run.net, data, config, epoch))
        keep_state(run)  # before the checkpoint: it can write that anew
        save(run)
        left = (time.perf_counter() - began) * (last - epoch)
        say(_printed(run.history.epochs[-1], left))
        if reduced := _reduced(run):
            say(reduced)
        yield run.history.epochs[-1]
    if (flipped := run.history.epochs[-1].flip_accuracy) is not None:
        say(f"With the probabilities of an image and its mirror image averaged: {flipped:.2%}")
    tell(run, "finished" if last == config.epochs else "stopped")
    if last < config.epochs:
        say(f"Stopped after epoch {last}, as asked; --resume continues.")


def _epoch(run: Run, data: Dataset, test: Dataset, epoch: int) -> Epoch:
    started, lr = time.perf_counter(), run.lr
    total, correct = _pass(run, data, epoch)
    seconds = time.perf_counter() - started
    for each in (run.net, run.result):
        share_buffers(each)
    test_loss, test_accuracy = _measure(run, test)
    after_epoch(run.config.scheduler, run.scheduler, test_loss)
    flipped = None
    if epoch == run.config.epochs:
        (test_loss, test_accuracy), flipped = _measure_last(run, test, (test_loss, test_accuracy))
    count = len(data.labels)
    train_loss, train_accuracy, speed = total / count, correct / count, count / seconds
    return Epoch(epoch, train_loss, train_accuracy, test_loss, test_accuracy, lr, speed, seconds, flipped)


def _measure(run: Run, test: Dataset) -> tuple[float, float]:
    """Test loss and accuracy, in the precision that was trained in: what the scheduler hears."""
    with run.precision():
        loss, accuracy = evaluate(run.result, test, run.device)
    _check_finite(loss, run, len(run.history.losses))  # an epoch's last step can be what went wrong
    return loss, accuracy


def _measure_last(
    run: Run, test: Dataset, measured: tuple[float, float]
) -> tuple[tuple[float, float], float | None]:
    """Loss and accuracy after the last epoch, in float32, as whoever loads it will measure them.

    And the accuracy with flips averaged, if asked for. `measured` stands where it was float32 already.
    """
    if run.config.precision == "bf16":
        measured = evaluate(run.result, test, run.device)
    return measured, flip_averaged(run.result, test, run.device) if run.config.flip_average else None


def _pass(run: Run, data: Dataset, epoch: int) -> tuple[float, int]:
    """Train on every image once; the sum of their losses, and how many were right."""
    config, losses = run.config, run.history.losses
    run.net.train()  # every epoch anew: the evaluation after it leaves the net in eval mode
    total, correct, count, steps, told = 0.0, 0, 0, steps_of(data, config), time.monotonic()
    source = batches(data, config, epoch, run.device)
    bar = tqdm(source, f"epoch {epoch}", steps, leave=False, unit="batch", disable=rank() > 0 or None)
    for number, (x, y) in enumerate(bar):
        torch.manual_seed(seed_for(DROPOUT, config.seed, epoch, number))
        loss, hits = step(run, x.to(memory_format=torch.channels_last), y)
        _check_finite(loss, run, len(losses) + 1)
        losses.append(loss)
        after_step(config.scheduler, run.scheduler, len(losses), steps * config.epochs)
        if run.average is not None:
            follow(run.average, run.net, config.ema, len(losses))
        total, correct, count = total + loss * len(y), correct + hits, count + len(y)
        bar.set_postfix_str(f"loss {total / count:.4f}", refresh=False)
        if time.monotonic() - told > LIVE_SECONDS:
            tell(run, "running")
            told = time.monotonic()
    return total, correct


def _check_finite(loss: float, run: Run, step: int) -> None:
    if not math.isfinite(loss):
        kept = f"the weights of epoch {len(run.history.epochs)} are in {run.config.path}"
        raise TrainingError(
            f"The loss is {loss} at step {step:,}, so training cannot go on; lower --lr "
            f"({kept if run.history.epochs else 'nothing was saved'})."
        )


def step(run: Run, x: Tensor, y: Tensor) -> tuple[float, int]:
    """One update of the weights; the batch's mean loss and how many of it were right before.

    Of several processes each works on its rows of the batch; what is returned is the whole batch's.

    `y` is int64 (n,), or float32 (n, classes) of mixed labels: then the largest part is what is right.
    """
    several, whole = world_size() > 1, len(y)
    x, y = shard(x), shard(y)
    logits = _logits(run, x)
    smoothing, reduction = run.config.label_smoothing, "sum" if several else "mean"
    loss = cross_entropy(logits, y, label_smoothing=smoothing, reduction=reduction)
    if several:
        loss = loss * (world_size() / whole)  # the processes' gradients are averaged, not added
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    right = y if y.ndim == 1 else y.argmax(1)
    hits = (logits.argmax(1) == right).sum()
    if several:
        loss, hits = all_reduce_sum(torch.stack([loss.detach() / world_size(), hits.float()]))
    return loss.item(), int(hits)


def _logits(run: Run, x: Tensor) -> Tensor:
    """A step's logits, float32 (n, classes). TrainingError where it cannot do the step."""
    try:
        with run.precision():
            return check_logits(run.forward(x)).float()
    except Exception as error:
        if sentence_of(error) or not (said := _cannot(run.config.net, len(x), error)):
            raise
        raise TrainingError(said) from error


def _cannot(net: str, count: int, error: Exception) -> str:
    """Why a network does not train on `count` images; "" where that is no fault of the person's."""
    if "Expected more than 1 value per channel" in str(error):
        return (
            f"BatchNorm needs more than one value of a channel, and a batch of {count} gives it one; "
            "change --batch-size so that the last batch is larger."
        )
    if not is_own(net):
        return ""
    if not count:
        return (
            f"The last batch has fewer images than there are processes, and {net} cannot do with none; "
            "change --batch-size, or start fewer processes."
        )
    return (
        f"The network {net} failed in a training step ({reason_of(error)}); "
        f"try it in Python, after net.train(), on {count} images."
    )


# What is said


def _about_images(data: Dataset, test: Dataset) -> str:
    """How many images there are, of what, and how they are normalized."""
    mean, std = (" ".join(f"{value:.4f}" for value in values) for values in (data.mean, data.std))
    side = data.images.shape[1]
    return (
        f"Images: {len(data.labels):,} for training, {len(test.labels):,} for testing, "
        f"{len(data.classes)} classes, {side} × {side} pixels\n"
        f"Normalization: mean {mean}, std {std}"
    )


def _about_run(run: Run) -> str:
    """What is trained, on what device, and how."""
    config, done = run.config, len(run.history.epochs)
    steps = run.history.about.steps if run.history.about else 0
    count = sum(each.numel() for each in run.net.parameters())
    processes = f", {world_size()} processes" if world_size() > 1 else ""
    resumed = f"; continuing after epoch {done}" if done else ""
    return (
        f"Network: {config.net}, {count:,} parameters, on {run.device} in {config.precision}{processes}\n"
        f"Training: {config.optimizer}, learning rate {config.lr:g} ({config.scheduler}); "
        f"epochs: {config.epochs}, steps per epoch: {steps:,}{resumed}"
    )


def _reduced(run: Run) -> str:
    """That the learning rate was reduced at the end of the last epoch; "" where it was not.

    A schedule that sets the rate at every step says nothing: the table has the rate of each epoch.
    """
    row, config = run.history.epochs[-1], run.config
    over = row.epoch == config.epochs
    if over or SCHEDULERS[config.scheduler].after == "step" or run.lr >= row.lr:
        return ""
    return f"Learning rate reduced from {row.lr:g} to {run.lr:g} ({config.scheduler})"


_HEADER = "epoch  train loss  train acc  test loss  test acc       lr  images/s  time left"


def _printed(row: Epoch, left: float) -> str:
    """An epoch's line, with the `left` seconds that the rest will take: measuring and saving included."""
    minutes, seconds = divmod(round(left), 60)
    return (
        f"{row.epoch:5}  {row.train_loss:10.4f}  {row.train_accuracy:9.2%}  {row.test_loss:9.4f}  "
        f"{row.test_accuracy:8.2%}  {row.lr:7.1e}  {row.images_per_second:8.0f}  "
        f"{minutes:6}:{seconds:02}"
    )


def _interrupted(run: Run) -> None:
    """Leave everything on disk as of the last whole epoch; in the first, the weights so far."""
    if rank():
        return
    saved = load_state(path_of(run.config.path))
    if saved.history.epochs:
        restore(run, saved)
    else:
        save(run)
    tell(run, "stopped")
    done = len(saved.history.epochs)
    what = f"the weights of epoch {done}" if done else "the weights so far"
    print(
        f"Stopped in epoch {done + 1}; {what} are in {run.config.path}, "
        f"and --resume begins epoch {done + 1} anew.",
        file=sys.stderr,
    )


# The command


def main(arguments: list[str] | None = None) -> int:
    flags = given(arguments)
    keep_freed_memory()
    try:
        with stopped_once():
            _command(flags)
    except KeyboardInterrupt as stopped:
        return 143 if isinstance(stopped, Terminated) else 130
    except Exception as error:
        sentence = sentence_of(error)
        if not sentence:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 1
    return 0


def _command(flags: dict[str, Any]) -> None:
    config, state = settle(flags)
    check_writable(config.path)
    try:
        with joined(find_device(config.device)), _undisturbed(config):
            if state is None and not config.overwrite and not rank():
                check_free(config)
            say(f"Loading the images ({config.dataset}) …")
            with first_before_others():  # the first may have to download or draw them
                data, test = images_of(config)
            say(_about_images(data, test))
            tell_left_out(data, test)
            run = train(config, data, test, state)
            _draw(run)
    except OSError as error:
        error.filename = error.filename or str(config.path)
        raise


@contextmanager
def _undisturbed(config: Config) -> Iterator[None]:
    """TrainingError if another run writes to the same place, or where the settings need a process alone."""
    if config.compile and world_size() > 1:
        raise TrainingError("torch.compile works in one process alone; leave --compile out, or torchrun.")
    claim = nullcontext(True) if rank() else claimed(beside(config.path, ".lock"))
    with claim as mine:
        if not mine:
            raise TrainingError(
                f"Another run is writing to {config.path}; wait until it is over, or give another --out."
            )
        yield


def tell_left_out(*splits: Dataset) -> None:
    """Count and name the images that the run does without because they cannot be read."""
    for each in splits:
        if each.left_out:
            count = f"{len(each.left_out):,} of the images"
            say(f"Left out since they cannot be read: {count} ({few(each.left_out)}).")


def _draw(run: Run) -> None:
    """Write the two pictures of a finished run, and say where everything is."""
    if rank():
        return
    save_figure(beside(run.config.path, ".loss.png"), loss_figure(run.history))
    save_figure(beside(run.config.path, ".epochs.png"), epochs_figure(run.history))
    say(f"Saved {run.config.path}, with its history and two pictures beside it")
    say(f"See it with: {shlex.join(_explorer(run.config))}")


def _explorer(config: Config) -> list[str]:
    """The words of the command that shows a checkpoint; the app lists what is in the project's checkpoints/.

    A path in it is as good as --out was: for the folder in which the run was started.
    """
    listed = config.path.resolve().parent == (ROOT / "checkpoints").resolve()
    given = [] if listed and not is_own(config.net) else ["--checkpoint", str(config.path)]
    if is_own(config.net):
        given += ["--net", config.net]
    app = ROOT / "explorer" / "app.py"
    here = app.relative_to(Path.cwd()) if app.is_relative_to(Path.cwd()) else app
    return ["streamlit", "run", str(here), *(["--", *given] if given else [])]


def settle(flags: dict[str, Any]) -> tuple[Config, State | None]:
    """The config that the flags ask for, and the state it goes on from, if any."""
    config = choose(flags)
    if "net" in flags and is_own(config.net):
        load_builder(config.net)  # what is wrong with it is said before the images are read
    if not config.resume:
        return config, None
    if config.overwrite:
        raise TrainingError("--resume continues a run and --overwrite replaces it; give one of them.")
    state = load_state(path_of(config.path))
    return replace(continued(flags, state), out=str(config.path)), state


def check_writable(path: Path) -> None:
    """Raise TrainingError before hours of work if the checkpoint could not be written to `path`."""
    if path.suffix != ".safetensors":
        raise TrainingError(f"A checkpoint's name ends in .safetensors, and {path} does not; change --out.")
    if path.is_dir():
        raise TrainingError(f"{path} is a folder; give the checkpoint another name with --out.")
    try:
        probe = beside(path, f".probe-{os.getpid()}")  # several processes may look at once
        with replacing(probe):
            pass
        probe.unlink()
    except OSError as error:
        raise TrainingError(
            f"Nothing can be written to {path.parent} ({error.strerror}); choose another place with --out."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
