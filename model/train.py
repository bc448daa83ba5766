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
from model.problems import Problem
from model.processes import (
    all_reduce_sum,
    first_before_others,
    joined,
    rank,
    shard,
    share_buffers,
    world_size,
)
from model.recipes import Config, choose, settled
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
from model.words import N_, ngettext, tr

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
    say(tr(_HEADER))
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
        say(
            tr(
                "Test accuracy, predictions of each image and its mirror image averaged: {accuracy:.2%}",
                accuracy=flipped,
            )
        )
    tell(run, "finished" if last == config.epochs else "stopped")
    if last < config.epochs:
        say(tr("Stopped after epoch {epoch}, as requested; continue with --resume.", epoch=last))


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
    bar = tqdm(
        source,
        tr("epoch {epoch}", epoch=epoch),
        steps,
        leave=False,
        unit=tr("batch"),
        disable=rank() > 0 or None,
    )
    for number, (x, y) in enumerate(bar):
        torch.manual_seed(seed_for(DROPOUT, config.seed, epoch, number))
        loss, hits = step(run, x.to(memory_format=torch.channels_last), y)
        _check_finite(loss, run, len(losses) + 1)
        losses.append(loss)
        after_step(config.scheduler, run.scheduler, len(losses), steps * config.epochs)
        if run.average is not None:
            follow(run.average, run.net, config.ema, len(losses))
        total, correct, count = total + loss * len(y), correct + hits, count + len(y)
        bar.set_postfix_str(tr("loss {loss:.4f}", loss=total / count), refresh=False)
        if time.monotonic() - told > LIVE_SECONDS:
            tell(run, "running")
            told = time.monotonic()
    return total, correct


def _check_finite(loss: float, run: Run, step: int) -> None:
    if not math.isfinite(loss):
        raise Problem(
            "The loss is {loss} at step {step:,}, so training cannot continue; reduce --lr "
            "(the weights of epoch {epoch} are in {path})."
            if run.history.epochs
            else "The loss is {loss} at step {step:,}, so training cannot continue; reduce --lr "
            "(nothing was saved).",
            loss=loss,
            step=step,
            epoch=len(run.history.epochs),
            path=run.config.path,
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
    """A step's logits, float32 (n, classes). Problem where it cannot do the step."""
    try:
        with run.precision():
            return check_logits(run.forward(x)).float()
    except Exception as error:
        if sentence_of(error) or not (problem := _problem_of(run.config.net, len(x), error)):
            raise
        raise problem from error


def _problem_of(net: str, count: int, error: Exception) -> Problem | None:
    """Why a network does not train on `count` images; None for an error of the program itself."""
    if "Expected more than 1 value per channel" in str(error):
        return Problem(
            "BatchNorm needs more than one value per channel, but the size of a batch is {count}; "
            "change --batch-size so that the last batch is larger.",
            count=count,
        )
    if not is_own(net):
        return None
    if not count:
        return Problem(
            "The last batch has fewer images than there are processes, and {net} cannot process no images; "
            "change --batch-size, or start fewer processes.",
            net=net,
        )
    return Problem(
        "The network {net} failed in a training step ({reason}); "
        "try it in Python, after net.train(), with a batch of {count}.",
        net=net,
        reason=reason_of(error),
        count=count,
    )


# Messages


def _about_images(data: Dataset, test: Dataset) -> str:
    """How many images there are, of what, and how they are normalized."""
    mean, std = (" ".join(f"{value:.4f}" for value in values) for values in (data.mean, data.std))
    return tr(
        "Images: {train:,} for training, {test:,} for testing, {classes} classes, {side} × {side} pixels\n"
        "Normalization: mean {mean}, std {std}",
        train=len(data.labels),
        test=len(test.labels),
        classes=len(data.classes),
        side=data.images.shape[1],
        mean=mean,
        std=std,
    )


def _about_run(run: Run) -> str:
    """What is trained, on what device, and how."""
    config, done = run.config, len(run.history.epochs)
    network = tr(
        "Network: {net}, {count:,} parameters, on {device} in {precision}",
        net=config.net,
        count=sum(each.numel() for each in run.net.parameters()),
        device=run.device,
        precision=config.precision,
    )
    training = tr(
        "Training: {optimizer}, learning rate {lr:g} ({scheduler}); "
        "epochs: {epochs}, steps per epoch: {steps:,}",
        optimizer=config.optimizer,
        lr=config.lr,
        scheduler=config.scheduler,
        epochs=config.epochs,
        steps=run.history.about.steps if run.history.about else 0,
    )
    processes = [tr("Processes: {count}", count=world_size())] if world_size() > 1 else []
    resumed = [tr("Continuing after epoch {epoch}", epoch=done)] if done else []
    return "\n".join((network, *processes, training, *resumed))


def _reduced(run: Run) -> str:
    """That the learning rate was reduced at the end of the last epoch; "" where it was not.

    For a schedule that sets the rate at every step always "": the table has the rate of each epoch.
    """
    row, config = run.history.epochs[-1], run.config
    over = row.epoch == config.epochs
    if over or SCHEDULERS[config.scheduler].after == "step" or run.lr >= row.lr:
        return ""
    return tr(
        "Learning rate reduced from {old:g} to {new:g} ({scheduler})",
        old=row.lr,
        new=run.lr,
        scheduler=config.scheduler,
    )


_HEADER = N_("epoch  train loss  train acc  test loss  test acc       lr  images/s  time left")


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
    message = (
        N_(
            "Stopped in epoch {epoch}; the weights of epoch {done} are in {path}, "
            "and --resume restarts epoch {epoch}."
        )
        if done
        else N_(
            "Stopped in epoch {epoch}; the current weights are in {path}, "
            "and --resume restarts epoch {epoch}."
        )
    )
    print(tr(message, epoch=done + 1, done=done, path=run.config.path), file=sys.stderr)


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
        print(tr("error: {sentence}", sentence=sentence), file=sys.stderr)
        return 1
    return 0


def _command(flags: dict[str, Any]) -> None:
    config, state = settle(flags)
    check_writable(config.path)
    try:
        with joined(find_device(config.device)), _undisturbed(config):
            if state is None and not config.overwrite and not rank():
                check_free(config)
            say(tr("Loading the images ({dataset}) …", dataset=config.dataset))
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
    """Problem if another run writes to the same place, or where the settings need a process alone."""
    if config.compile and world_size() > 1:
        raise Problem("torch.compile works in a single process only; leave out --compile or torchrun.")
    claim = nullcontext(True) if rank() else claimed(beside(config.path, ".lock"))
    with claim as mine:
        if not mine:
            raise Problem(
                "Another run is writing to {path}; wait until it has finished, or give another --out.",
                path=config.path,
            )
        yield


def tell_left_out(*splits: Dataset) -> None:
    """Count and name the images that the run does without because they cannot be read."""
    for each in splits:
        if each.left_out:
            say(
                ngettext(
                    "{n:,} image was left out because it cannot be read ({names}).",
                    "{n:,} images were left out because they cannot be read ({names}).",
                    len(each.left_out),
                    names=few(each.left_out),
                )
            )


def _draw(run: Run) -> None:
    """Write the two plots of a finished run, and print where everything is."""
    if rank():
        return
    save_figure(beside(run.config.path, ".loss.png"), loss_figure(run.history))
    save_figure(beside(run.config.path, ".epochs.png"), epochs_figure(run.history))
    say(tr("Saved {path}, with its history and two plots in the same folder", path=run.config.path))
    say(tr("See it with: {command}", command=shlex.join(_explorer(run.config))))


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
        load_builder(config.net)  # so that a problem with it is reported before the images are read
    if not config.resume:
        return config, None
    if config.overwrite:
        raise Problem("--resume continues a run and --overwrite replaces it; give only one of them.")
    state = load_state(path_of(config.path))
    return replace(continued(flags, state), out=str(config.path)), state


def check_writable(path: Path) -> None:
    """Raise Problem before hours of work if the checkpoint could not be written to `path`."""
    if path.suffix != ".safetensors":
        raise Problem(
            "The name of a checkpoint ends in .safetensors, but {path} does not; change --out.", path=path
        )
    if path.is_dir():
        raise Problem("{path} is a folder; give the checkpoint another name with --out.", path=path)
    try:
        probe = beside(path, f".probe-{os.getpid()}")  # several processes may look at once
        with replacing(probe):
            pass
        probe.unlink()
    except OSError as error:
        raise Problem(
            "The folder {folder} cannot be written ({reason}); choose another folder with --out.",
            folder=path.parent,
            reason=error.strerror,
        ) from error


if __name__ == "__main__":
    sys.exit(main())
