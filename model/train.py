"""Trains a network: `python -m model.train`; by default the course's CNN as the course does.

All randomness derives from the seed, the epoch and the step, never from what ran before; so a run that was
stopped goes on from its last whole epoch (`--resume`) as if nothing had happened.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.allocator import keep_freed_memory
from model.batches import images_of
from model.builders import is_own, load_builder
from model.command import read_settings
from model.datasets import split_folder, validation_note
from model.failures import exit_code
from model.files import beside, claimed, replacing
from model.history import epochs_figure, loss_figure, save_figure
from model.problems import Problem
from model.processes import first_before_others, joined, rank, world_size
from model.recipes import Config, choose
from model.state import State, continued, load_state, path_of
from model.training.loop import train
from model.training.messages import about_images, tell_left_out, tell_without_images
from model.training.run import Run, check_free, find_device, say
from model.words import of_environment, tr, use

ROOT = Path(__file__).resolve().parent.parent  # the project's folder


def main(arguments: list[str] | None = None) -> int:
    use(of_environment())
    settings = read_settings(arguments)
    keep_freed_memory()
    return exit_code(lambda: _command(settings))


def _command(settings: dict[str, Any]) -> None:
    config, state = settle(settings)
    check_writable(config.path)
    try:
        with joined(find_device(config.device)), _undisturbed(config):
            if state is None and not config.overwrite and not rank():
                check_free(config)
            say(_loading(config.dataset))
            with first_before_others():  # the first may have to download or draw them
                data, test = images_of(config)
            say(about_images(data, test))
            folder = split_folder(Path(config.data_dir), "test")
            if config.dataset == "folder" and (note := validation_note(folder)):
                say(note)
            tell_left_out(data, test)
            tell_without_images(data, test)
            run = train(config, data, test, state)
            _draw(run)
    except OSError as error:
        error.filename = error.filename or str(config.path)
        raise


def _loading(dataset: str) -> str:
    if dataset == "scenes":
        return tr("Loading the images (scenes; the first time all are drawn, which takes minutes) …")
    return tr("Loading the images ({dataset}) …", dataset=dataset)


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


def _draw(run: Run) -> None:
    """Write the two plots of a finished run, and print where everything is."""
    if rank():
        return
    save_figure(beside(run.config.path, ".loss.png"), loss_figure(run.history))
    save_figure(beside(run.config.path, ".epochs.png"), epochs_figure(run.history))
    say(tr("Saved {path}, with its history and two plots in the same folder", path=run.config.path))
    say(tr("Open it with: {command}", command=shlex.join(_explorer(run.config))))


def _explorer(config: Config) -> list[str]:
    """The words of the command that shows a checkpoint; the app lists what is in the project's checkpoints/.

    A path in it is as good as --out was: for the folder in which the run was started.
    """
    listed = config.path.resolve().parent == (ROOT / "checkpoints").resolve()
    options = [] if listed and not is_own(config.net) else ["--checkpoint", str(config.path)]
    if is_own(config.net):
        options += ["--net", config.net]
    if config.dataset == "folder":
        options += ["--data-dir", config.data_dir]
    app = ROOT / "explorer" / "app.py"
    here = app.relative_to(Path.cwd()) if app.is_relative_to(Path.cwd()) else app
    return ["streamlit", "run", str(here), *(["--", *options] if options else [])]


def settle(settings: dict[str, Any]) -> tuple[Config, State | None]:
    """The config with these settings of the command line, and the state it goes on from, if any."""
    config = choose(settings)
    if "net" in settings and is_own(config.net):
        load_builder(config.net)  # so that a problem with it is reported before the images are read
    if not config.resume:
        return config, None
    if config.overwrite:
        raise Problem("--resume continues a run and --overwrite replaces it; give only one of them.")
    state = load_state(path_of(config.path))
    return replace(continued(settings, state), out=str(config.path)), state


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
