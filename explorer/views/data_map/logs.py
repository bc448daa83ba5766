"""The logs of training images that lie where runs do, and which of them the page shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from explorer.engine.data_map import DataMap
from explorer.engine.opening import Source
from explorer.ui import cached, choices, link
from explorer.ui.cached import Opened
from explorer.ui.markdown import literal
from explorer.ui.options import options
from model.example_log import ENDING, ExampleLog, path_of_log
from model.names import by_number, readable
from model.words import N_, tr

FIRST = "scenes-mislabeled"  # shown where the checkpoint in the sidebar has no log: its images can be drawn


@dataclass(frozen=True, eq=False)
class LoggedRun:
    """A run on the page: its name, the file of its log, what is in it, and its map."""

    name: str
    path: Path
    log: ExampleLog
    map: DataMap

    @property
    def checkpoint(self) -> Path:
        """Where the run's checkpoint is, if it is there."""
        return self.path.with_name(self.path.name.removesuffix(ENDING) + ".safetensors")


def find_logs(folders: Iterable[Path]) -> dict[str, Path]:
    """Name → log of every run in these folders; where two have the same name, with that of its folder."""
    paths = [path for folder in dict.fromkeys(each.resolve() for each in folders) for path in _logs(folder)]
    names = [_name(path) for path in paths]
    return {
        name if names.count(name) == 1 else f"{readable(path.parent.name)}/{name}": path
        for name, path in zip(names, paths, strict=True)
    }


def _name(path: Path) -> str:
    return readable(path.name.removesuffix(ENDING))


def _logs(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob(f"*{ENDING}"), key=by_number)
    except OSError:  # a path that is too long, a folder without permission
        return []


def choose_log(logs: dict[str, Path]) -> str:
    """A run by its name; at first that of the checkpoint in the sidebar, which another checkpoint that has a
    log changes. Another run forgets the image.
    """
    own, checkpoint = own_log(logs), chosen_checkpoint()
    another = st.session_state.get("_log_of", checkpoint) != checkpoint
    led_to = link.came_back() and link.value("log", "")  # a run that the address names
    if own is not None and another and not led_to:
        link.change("log", own)
    st.session_state["_log_of"] = checkpoint
    first = own or next(iter([*(name for name in logs if name == FIRST), *logs]))
    name = choices.pick(tr("Run"), {each: each for each in logs}, "log", first, width=320)
    if st.session_state.get("_log", name) != name and not link.came_back():
        link.change("train_image", "")
    st.session_state["_log"] = name
    return name


def own_log(logs: dict[str, Path]) -> str | None:
    """The run of the checkpoint in the sidebar; None where it has no log."""
    source = chosen_source()
    own = None if source is None or source.path is None else path_of_log(source.path).resolve()
    return next((name for name, path in logs.items() if path == own), None)


def another_run(name: str, logs: dict[str, Path]) -> str:
    """That the run shown is not that of the checkpoint in the sidebar, as Markdown; "" where it is."""
    own, checkpoint = own_log(logs), chosen_checkpoint()
    if name == own or not checkpoint:
        return ""
    text = (
        N_(
            "The checkpoint in the sidebar, {checkpoint}, has no log of its training images. This is the "
            "data map of another run, {run}."
        )
        if own is None
        else N_("This is the data map of {run}, not that of {checkpoint}, the checkpoint in the sidebar.")
    )
    return tr(text, checkpoint=literal(checkpoint), run=literal(name))


def chosen_checkpoint() -> str:
    """The name of the checkpoint in the sidebar; "" where there is none."""
    return link.value("checkpoint", next(iter(options().checkpoints), ""))


def chosen_source() -> Source | None:
    """The network in the sidebar; None where there is none."""
    return options().checkpoints.get(chosen_checkpoint())


def read(name: str, path: Path) -> LoggedRun:
    """A run's log and its map. Raises Problem."""
    return LoggedRun(name, path, cached.example_log(path), cached.data_map(path))


def opened_for(run: LoggedRun) -> Opened | None:
    """The run's own checkpoint; else that in the sidebar, if it has the same classes; None without either.

    Raises Problem.
    """
    sources = options().checkpoints
    for name, source in sources.items():
        if source.path is not None and source.path.resolve() == run.checkpoint.resolve():
            return cached.opened(name, source)
    if run.checkpoint.exists():
        return cached.opened(readable(run.checkpoint.stem), Source(run.checkpoint))
    other = chosen_source()
    if other is None:
        return None
    opened = cached.opened(chosen_checkpoint(), other)
    return opened if tuple(opened.card.classes) == run.log.card.classes else None


def is_own(run: LoggedRun, opened: Opened) -> bool:
    """Whether a checkpoint is that of the run itself."""
    path = opened.source.path
    return path is not None and path.resolve() == run.checkpoint.resolve()
