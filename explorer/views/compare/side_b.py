"""What side B of Compare shows: the choices that there are, and the selection that they make."""

from dataclasses import replace

import streamlit as st

from explorer.engine import timeline as timelines
from explorer.engine.samples import in_classes
from explorer.engine.timeline import CardFile, SnapshotFile
from explorer.ui import cached, link
from explorer.ui.cached import Opened
from explorer.ui.frame import presentation
from explorer.ui.options import options
from explorer.ui.selection import Selection
from explorer.ui.sidebar.image_choice import choose_sample
from model.snapshots import checkpoint_of
from model.words import N_, tr

SIDES = {
    "same": N_("The same image"),
    "image": N_("Another image"),
    "epoch": N_("Another epoch of this run"),
    "checkpoint": N_("Another checkpoint"),
    "both": N_("Another image and checkpoint"),
}


def available(opened: Opened) -> dict[str, str]:
    """The entries of SIDES that can be chosen, translated."""
    missing: set[str] = set() if other_epochs(opened) else {"epoch"}
    if len(options().checkpoints) < 2:
        missing |= {"checkpoint", "both"}
    return {own: tr(name) for own, name in SIDES.items() if own not in missing}


def other_epochs(opened: Opened) -> dict[str, SnapshotFile]:
    """Epoch → snapshot of the run that a network is from, without the network's own epoch."""
    path = opened.source.path
    files = timelines.snapshots_of(checkpoint_of(path)) if path is not None else ()
    return {str(file.epoch): file for file in files if file.epoch != opened.card.epoch}


def choose(selection: Selection, own: str) -> Selection | None:
    """The selection of B, by a key of SIDES; None until its image is chosen. Raises what opening one does."""
    if own == "same":
        return selection
    opened = choose_network(selection.opened, own)
    classes = opened.card.classes
    sample = in_classes(selection.sample, selection.card.classes, classes)
    if own in ("image", "both"):
        chosen = choose_sample(opened, options(), "b_")
        if chosen is None:
            return None
        sample = chosen
    target = in_classes(replace(sample, label=selection.target), selection.card.classes, classes).label
    return replace(selection, opened=opened, sample=sample, chosen=None if own == "image" else target)


def choose_network(opened: Opened, own: str) -> Opened:
    """The network of B. Raises Problem."""
    if own == "image":
        return opened
    return choose_epoch(opened) if own == "epoch" else choose_checkpoint(opened)


def choose_epoch(opened: Opened) -> Opened:
    files = other_epochs(opened)
    label = tr("Epoch of B (0 is the untrained network)")
    epoch = link.choose(
        st.selectbox, label, list(files), "b_epoch", next(iter(files)), width=presentation.pixels(250)
    )
    name = tr("{checkpoint}, epoch {epoch}", checkpoint=opened.name, epoch=epoch)
    return cached.opened(name, replace(opened.source, path=files[epoch].path))


def choose_checkpoint(opened: Opened) -> Opened:
    checkpoints = options().checkpoints
    first = next((name for name in checkpoints if name != opened.name), opened.name)
    link.follow_default("b_checkpoint", first)
    label = tr("Checkpoint of B")
    name = link.choose(
        st.selectbox, label, list(checkpoints), "b_checkpoint", first, width=presentation.pixels(250)
    )
    return cached.opened(name, checkpoints[name])


def of_one_run(one: Opened, other: Opened) -> bool:
    """Whether channel c is the same channel in both: the same weights, or states of one run."""
    files = (CardFile(each.card, each.source.path) for each in (one, other))
    return one.network.key == other.network.key or timelines.of_one_run(*files)
