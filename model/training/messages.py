"""What a run prints: the images, the network, a line for each epoch."""

import numpy as np

from model.datasets import Dataset
from model.history import Epoch
from model.images import first_names
from model.processes import world_size
from model.schedulers import SCHEDULERS
from model.training.run import Run, say
from model.words import N_, ngettext, tr

HEADER = N_("epoch  train loss  train acc  test loss  test acc       lr  images/s  time left")


def about_images(data: Dataset, test: Dataset) -> str:
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


def tell_without_images(data: Dataset, test: Dataset) -> None:
    """Count and name the classes that a split has no image of."""
    untrained, untested = (sorted(set(data.classes) - _present(each)) for each in (data, test))
    if untrained:
        say(
            ngettext(
                "{n:,} class has no training image ({names}): the network cannot learn it.",
                "{n:,} classes have no training image ({names}): the network cannot learn them.",
                len(untrained),
                names=first_names(untrained),
            )
        )
    if untested:
        say(
            ngettext(
                "{n:,} class has no test image ({names}): the test accuracy says nothing of it.",
                "{n:,} classes have no test image ({names}): the test accuracy says nothing of them.",
                len(untested),
                names=first_names(untested),
            )
        )


def _present(split: Dataset) -> set[str]:
    return {split.classes[label] for label in np.unique(split.labels)}


def tell_left_out(*splits: Dataset) -> None:
    """Count and name the images that the run does without because they cannot be read."""
    for each in splits:
        if each.left_out:
            say(
                ngettext(
                    "{n:,} image was left out because it cannot be read ({names}).",
                    "{n:,} images were left out because they cannot be read ({names}).",
                    len(each.left_out),
                    names=first_names(each.left_out),
                )
            )


def about_run(run: Run) -> str:
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
    return "\n".join((network, *processes, training, *([_resumed(done, config.epochs)] if done else [])))


def _resumed(done: int, epochs: int) -> str:
    if done == epochs:
        return tr("All {epochs} epochs of this run are complete: nothing is left to train.", epochs=epochs)
    return tr("Continuing after epoch {epoch}", epoch=done)


def epoch_line(row: Epoch, left: float) -> str:
    """An epoch's line, with the `left` seconds that the rest will take: measuring and saving included."""
    minutes, seconds = divmod(round(left), 60)
    return (
        f"{row.epoch:5}  {row.train_loss:10.4f}  {row.train_accuracy:9.2%}  {row.test_loss:9.4f}  "
        f"{row.test_accuracy:8.2%}  {row.lr:7.1e}  {row.images_per_second:8.0f}  "
        f"{minutes:6}:{seconds:02}"
    )


def rate_reduced(run: Run) -> str:
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
