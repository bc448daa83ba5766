"""The state of a run between two epochs: all that is needed to go on as if it had never stopped."""

import hashlib
import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from model.builders import is_own
from model.datasets import Dataset
from model.files import beside, contents, replacing, sweep
from model.history import History, history_from, row_of
from model.names import readable
from model.problems import Problem
from model.recipes import FREE, Config, choose, config_from, flag, words_of
from model.schedulers import SCHEDULERS
from model.weights.containers import check_unpacked

VERSION = 1


@dataclass(frozen=True)
class State:
    """`parts` are the state_dicts of net, optimizer, scheduler and average, by name."""

    config: Config
    data: str
    history: History
    parts: dict[str, Any]


def path_of(checkpoint_path: Path) -> Path:
    """Where a run's state is: `a/b.safetensors` → `a/b.state.pt`."""
    return beside(checkpoint_path, ".state.pt")


def save_state(path: Path, state: State) -> None:
    """Write `state`, whole or not at all."""
    about = state.history.about
    values = {
        "version": VERSION,
        "config": asdict(state.config),
        "data": state.data,
        "losses": torch.tensor(state.history.losses, dtype=torch.float64),
        "epochs": [row_of(epoch) for epoch in state.history.epochs],
        "about": asdict(about) if about else None,
        "parts": state.parts,
    }
    written = io.BytesIO()  # torch turns a full disk into an error of its own, which says nothing of it
    torch.save(values, written)
    sweep(path)
    with replacing(path) as file:
        file.write(written.getbuffer())


def load_state(path: Path) -> State:
    """Read what `save_state` wrote, executing nothing in it. Problem says what is wrong."""
    try:
        data = contents(path)
    except OSError as error:
        raise Problem(
            "There is no run to resume at {path} ({reason}); leave --resume out, or give its --out.",
            path=readable(str(path)),
            reason=error.strerror,
        ) from error
    try:
        check_unpacked(data)
        values = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        history = history_from(values | {"losses": values["losses"].tolist()})
        return State(config_from(values["config"]), str(values["data"]), history, dict(values["parts"]))
    except Exception as error:  # pickle, zip and torch each raise kinds of their own
        raise Problem(
            "{path} is not the state of a run; give --overwrite instead of --resume to start a new run.",
            path=readable(str(path)),
        ) from error


def continued(settings: dict[str, Any], state: State) -> Config:
    """The config that goes on from `state` with the flags that were given.

    The precision “auto” is what it came to when the run began, whatever the hardware is now. Problem if
    a flag would change the arithmetic of the run.
    """
    if is_own(state.config.net) and "net" not in settings:  # a file's word is not enough to import a module
        raise Problem(
            "This run trains your own network; to continue it, give --net '{net}' again.",
            net=state.config.net,
        )
    settings = {name: value for name, value in settings.items() if (name, value) != ("precision", "auto")}
    config = choose(settings, replace(state.config, stop_after=0))
    for name in settings:
        then, now = getattr(state.config, name), getattr(config, name)
        if name not in FREE and then not in (now, "auto"):  # an old state may not say what “auto” came to
            raise _other_setting(name, then, now)
    _check_epochs(state, config)
    return config


def _other_setting(name: str, then: object, now: object) -> Problem:
    if then is None:
        return Problem(
            "This run was started without {flag} and cannot continue with it; "
            "leave {flag} out, or give --overwrite instead of --resume to start a new run.",
            flag=flag(name),
        )
    return Problem(
        "This run was started with {then} and cannot continue with {now}; "
        "leave {flag} out, or give --overwrite instead of --resume to start a new run.",
        then=" ".join(words_of(name, then)),
        now=" ".join(words_of(name, now)),
        flag=words_of(name, now)[0],
    )


def _check_epochs(state: State, config: Config) -> None:
    done = len(state.history.epochs)
    if config.epochs < done:
        raise Problem(
            "This run has completed epoch {done}; give --epochs {done} or more.",
            done=done,
        )
    if 0 < config.stop_after < done:
        raise Problem(
            "This run has completed epoch {done}; give --stop-after {done} or more, or leave it out.",
            done=done,
        )
    if config.epochs != state.config.epochs and SCHEDULERS[config.scheduler].needs_end:
        raise Problem(
            "The schedule {scheduler} was planned for --epochs {then}, not {now}; leave --epochs out.",
            scheduler=config.scheduler,
            then=state.config.epochs,
            now=config.epochs,
        )


def check_data(began: str, now: str) -> None:
    """Problem unless the digests of the images that a run began with and has now are the same."""
    if began != now:
        raise Problem(
            "These are not the training images that this run was started with; "
            "give the same images, or give --overwrite instead of --resume to start a new run."
        )


def digest_of_data(data: Dataset) -> str:
    """SHA-256 of images, labels, classes, mean and std."""
    sha = hashlib.sha256(data.images.tobytes())
    sha.update(data.labels.tobytes())
    sha.update(repr((data.classes, tuple(data.mean), tuple(data.std))).encode())
    return sha.hexdigest()
