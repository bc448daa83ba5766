"""Compare: feature maps of two images, layers or epochs; Grad-CAM of two networks or two classes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from explorer.drawing import ranges
from explorer.drawing.colormaps import colour
from explorer.drawing.ranges import Range
from explorer.engine import timeline as timelines
from explorer.engine.samples import in_classes
from explorer.engine.timeline import CardFile, SnapshotFile
from explorer.engine.tracing import Block, stages
from explorer.ui import cached, choices, header, link, markup, panels, sidebar
from explorer.ui.cached import Opened
from explorer.ui.components.channel_grid import Choice, channel_grid
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import options
from explorer.ui.selection import Selection, current
from explorer.views.compare import exports
from explorer.views.compare.exports import Side
from model.problems import Problem
from model.snapshots import checkpoint_of

RUNNER_UP = "runner-up"  # as the link calls it
MODES = {"maps": "Images, layers or networks", "classes": "Two classes"}
SIDES = {
    "same": "The same image",
    "image": "Another image",
    "epoch": "Another epoch of this run",
    "checkpoint": "Another checkpoint",
    "both": "Another image and checkpoint",
}


def page() -> None:
    selection = current()
    st.header("Side by side", anchor=False)
    if not selection.blocks:
        st.info("This network has no convolution, so there are no feature maps to compare.")
        return
    with st.container(horizontal=True):
        mode = choices.choice("Compare", MODES, "compare")
        own = choices.pick("B shows", sides(selection.opened), "b_own", width=250) if mode == "maps" else ""
    if mode == "maps":
        two_sides(selection, own)
    else:
        classes(selection)


# What B shows


def sides(opened: Opened) -> dict[str, str]:
    """The entries of SIDES that there is something for."""
    without: set[str] = set() if other_epochs(opened) else {"epoch"}
    if len(options().checkpoints) < 2:
        without |= {"checkpoint", "both"}
    return {own: name for own, name in SIDES.items() if own not in without}


def other_epochs(opened: Opened) -> dict[str, SnapshotFile]:
    """Epoch → snapshot of the run that a network is from, without the network's own epoch."""
    path = opened.source.path
    files = timelines.snapshots_of(checkpoint_of(path)) if path is not None else ()
    return {str(file.epoch): file for file in files if file.epoch != opened.card.epoch}


def two_sides(selection: Selection, own: str) -> None:
    try:
        other = other_side(selection, own)
    except Problem as error:
        st.error(sentence(error), icon=":material/error:")
        return
    if other is None:
        return
    if not other.blocks:
        st.info("The network of B has no convolution, so there are no feature maps to compare.")
    elif of_one_run(selection.opened, other.opened):
        feature_maps(selection, other, own)
    else:
        networks(selection, other)


def other_side(selection: Selection, own: str) -> Selection | None:
    """What B shows, of SIDES; None until its image is chosen. Raises what opening one does."""
    if own == "same":
        return selection
    opened = other_network(selection.opened, own)
    classes = opened.card.classes
    sample = in_classes(selection.sample, selection.card.classes, classes)
    if own in ("image", "both"):
        chosen = sidebar.choose_sample(opened.card, options(), "b_")
        if chosen is None:
            return None
        sample = chosen
    explained = in_classes(replace(sample, label=selection.target), selection.card.classes, classes).label
    return replace(selection, opened=opened, sample=sample, chosen=None if own == "image" else explained)


def other_network(opened: Opened, own: str) -> Opened:
    """The network of B. Raises Problem."""
    if own == "epoch":
        files = other_epochs(opened)
        epoch = link.choose(
            st.selectbox, "Epoch of B; 0 is the untrained network", list(files), "b_epoch", next(iter(files))
        )
        source = replace(opened.source, path=files[epoch].path)
        return cached.opened(f"{opened.name}, epoch {epoch}", source)
    if own == "image":
        return opened
    found = options().checkpoints
    first = next((name for name in found if name != opened.name), opened.name)
    link.follow_default("b_checkpoint", first)
    name = link.choose(st.selectbox, "Checkpoint of B", list(found), "b_checkpoint", first)
    return cached.opened(name, found[name])


def of_one_run(one: Opened, other: Opened) -> bool:
    """Whether channel c is the same channel in both: the same weights, or states of one run."""
    files = (CardFile(each.card, each.source.path) for each in (one, other))
    return one.key == other.key or timelines.of_one_run(*files)


# Feature maps of one network, or of two states of one run


def feature_maps(selection: Selection, other: Selection, own: str) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("A", anchor=False)
        block, stage, layer = choices.choose_layer(selection, "a_")
    with right:
        st.subheader("B", anchor=False)
        # The same layer of the same image would show no difference at first.
        first = another_stage(selection, block, stage) if own == "same" else stage
        other_block, _, other_layer = choose_like(selection, other, "b_", block, first)
    a, b = Side(selection, layer, block.conv), Side(other, other_layer, other_block.conv)
    common, each, scale = exports.common(a.maps, b.maps), exports.each(a.maps, b.maps), choices.grid_scale()
    channel = chosen_channel(min(len(a.maps), len(b.maps)))
    with left:
        show_side("A", a, common, each, channel)
    with right:
        show_side("B", b, common, each, channel)
    link.hold("scale", scale, "shared")
    closely(a, b, channel, scale)
    how_to_read()
    exports.side_by_side(a, b, channel, scale)


def choose_like(
    selection: Selection, other: Selection, prefix: str, block: Block, stage: str
) -> tuple[Block, str, str]:
    """A layer of B: at first that block of A's and this stage, for as long as the visitor chooses no other.

    Where the two have different numbers of blocks it is B's last one.
    """
    alike = len(selection.blocks) == len(other.blocks)
    number = str(selection.blocks.index(block) + 1 if alike else len(other.blocks))
    link.follow_default(f"{prefix}block", number)
    link.follow_default(f"{prefix}stage", stage)
    return choices.choose_layer(other, prefix, stage, number)


def another_stage(selection: Selection, block: Block, stage: str) -> str:
    """The stage before this one in a block, or after it where it is the first; itself where it is alone."""
    names = list(stages(block, selection.seen))
    place = names.index(stage)
    return names[place - 1 if place else min(1, len(names) - 1)]


def chosen_channel(channels: int) -> int:
    """The channel that both sides show, from the link or from the last click on either grid."""
    held = link.held("channel", "0")
    channel = int(held) if held.isdecimal() and int(held) < channels else 0
    link.hold("channel", str(channel), "0")
    return channel


def follow(choice: Choice) -> None:
    """A click on one grid chooses the channel, or the kind of scale, for both."""
    if choice.channel is not None:
        link.hold("channel", str(choice.channel), "0")
    link.hold("scale", choice.scale, "shared")


def show_side(name: str, side: Side, common: Range, each: Sequence[Range], channel: int) -> None:
    markup.show(header.beside(side.selection))
    channel_grid(
        side.maps,
        key=f"grid_{name}",
        signed=common.signed,
        limits=common,
        each=each[: len(side.maps)],
        scale=choices.grid_scale(),
        selected=channel,
        on_change=follow,
        label=f"{name}: the feature maps of {side.layer}",
    )


def closely(a: Side, b: Side, channel: int, scale: str) -> None:
    """The chosen channel of both sides, large, and their difference where it is the same channel."""
    st.subheader(f"Channel {channel} of both", anchor=False)
    panels.side_by_side(
        [
            titled(name, values, range, f"{name.replace('−', 'minus')}: channel {channel}")
            for name, (values, range) in exports.closely(a, b, channel, scale).items()
        ]
    )
    st.caption(difference(a, b))


def difference(a: Side, b: Side) -> str:
    """How far A and B are apart, or why they are not subtracted."""
    if a.block != b.block:
        return (
            "A and B are different blocks. A channel of one has nothing to do with the channel of the same "
            "number in the other, so no difference is shown."
        )
    if a.maps.shape != b.maps.shape:
        return "The maps of A and B have different sizes, so no difference is shown."
    if np.array_equal(a.maps, b.maps):
        return "A and B are equal at every position of every channel."
    most = np.abs(a.maps - b.maps).mean((1, 2))
    return (
        f"The channel that differs most is {most.argmax()}: its mean absolute difference is "
        f"{ranges.number(most.max())}."
    )


def titled(title: str, values: np.ndarray, range: Range, alt: str) -> str:
    height, width = values.shape
    said = "the same scale for A and B" if title in ("A", "B") else "the largest difference of any channel"
    return markup.element(
        "section",
        markup.text(title, tag="h4"),
        markup.figure(colour(values, range), alt, markup.text(f"{height} × {width} positions"), fill=True),
        markup.scale(range, said),
    )


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "A and B share one color scale, so equal colors are equal values. A click on a channel shows it "
            "on both sides. Compare two stages of a block to see what a step does, two images to see what a "
            "channel responds to, two epochs of one run to see what training changed. A channel keeps its "
            "meaning within one block and within one run only; elsewhere no difference is shown."
        )


# Two networks


def networks(selection: Selection, other: Selection) -> None:
    """Both predictions, and Grad-CAM of one class at a layer of each."""
    left, right = st.columns(2, gap="large")
    last = str(len(selection.blocks))
    with left:
        st.subheader("A", anchor=False)
        block, stage, layer = choices.choose_layer(selection, "a_cam_", first_block=last)
        markup.show(header.beside(selection))
    with right:
        st.subheader("B", anchor=False)
        other_block, _, other_layer = choose_like(selection, other, "b_cam_", block, stage)
        markup.show(header.beside(other))
    a, b = Side(selection, layer, block.conv), Side(other, other_layer, other_block.conv)
    st.subheader("Grad-CAM", anchor=False)
    shared = choices.choice("Color scale", choices.SCALE_NAMES, "ab_scale", "own") == "shared"
    try:
        heat_maps(a, b, shared)
    except ValueError as error:
        st.info(sentence(error))
        return
    st.caption(
        "Red supports the class, blue opposes it. Values are in units of each network's own logit. Channels "
        "are not compared: channel 5 of one network has nothing to do with channel 5 of another that was "
        f"trained from other random weights. {where_channels_are_compared(selection.opened)}"
    )
    exports.two_networks(a, b, shared)


def heat_maps(a: Side, b: Side, shared: bool) -> None:
    """ValueError as the method's, where it cannot explain one of the layers."""
    sides = {"A": a, "B": b}
    heats, scales = exports.cams(sides), exports.cam_scales(sides, shared)
    shown = []
    for name, side in sides.items():
        explained = side.selection.card.classes[side.selection.target]
        title = f"{name}: {explained} at {side.layer}"
        alt = f"{name}: Grad-CAM of {explained} at {side.layer}"
        heat, scale = heats[name], "" if shared else f"the scale of {name} alone"
        note = panels.extent(heat)
        shown.append(panels.heat_panel(side.selection, heat, scales[name], title, alt, note, scale))
    panels.side_by_side(shown, markup.scale(scales["A"], "the same scale for A and B") if shared else "")
    panels.explain_dimmed(a.selection)
    if b.selection.sample.pixels.shape != a.selection.sample.pixels.shape:
        panels.explain_dimmed(b.selection)
    if exports.explained(a) != exports.explained(b):
        markup.show(
            markup.text(
                f"B has no class “{exports.explained(a)}”: its Grad-CAM is of its own prediction, "
                f"“{exports.explained(b)}”.",
                "muted",
            )
        )


def where_channels_are_compared(opened: Opened) -> str:
    """How to come to two networks whose channels correspond."""
    if other_epochs(opened):
        return "They are compared between snapshots of one run: choose “Another epoch of this run” above."
    return (
        "They are compared between snapshots of one run, and there are none of A: train with "
        "`--snapshot-every 1` to keep them."
    )


# Two classes


def classes(selection: Selection) -> None:
    names = selection.card.classes
    if len(names) < 2:
        st.info("This network has one class only, so there is no other to compare it with.")
        return
    other = choose_other_class(selection)
    titles = exports.class_titles(selection, other)
    markup.show(markup.text(f"Why “{titles['target']}” rather than “{titles['other']}”?", tag="h3"))
    blocks = choices.choose_blocks(selection).values()
    layers = tuple(block.act or block.norm or block.conv for block in blocks)
    heats = exports.heats_of(selection, layers, other)
    for layer in layers:
        compared(selection, layer, {title: heats[layer, name] for name, title in titles.items()})
    panels.explain_dimmed(selection)
    st.caption(
        "The third map is Grad-CAM of the difference of the two logits: red supports the first class, blue "
        "supports the second."
    )
    exports.two_classes(selection, layers, other)


def choose_other_class(selection: Selection) -> int:
    """The class to compare with: the runner-up of whatever image is shown, until another is chosen."""
    names = selection.card.classes
    others = [name for k, name in enumerate(names) if k != selection.target]
    chosen = link.choose(
        st.selectbox,
        "Compare with",
        [RUNNER_UP, *others],
        "against",
        RUNNER_UP,
        format_func=lambda name: "Most probable other class" if name == RUNNER_UP else name,
    )
    return runner_up(selection) if chosen == RUNNER_UP else names.index(chosen)


def runner_up(selection: Selection) -> int:
    """The most probable class besides the one to explain."""
    order = np.argsort(-selection.seen.logits, kind="stable")
    return int(next(k for k in order if k != selection.target))


def compared(selection: Selection, layer: str, heats: dict[str, np.ndarray]) -> None:
    common = ranges.symmetric(*heats.values())
    st.subheader(literal(layer), anchor=False)
    panels.side_by_side(
        [
            panels.heat_panel(
                selection, heat, common, title, f"Grad-CAM of {title} at {layer}", panels.extent(heat)
            )
            for title, heat in heats.items()
        ],
        markup.scale(common, f"the same scale for all three at {layer}"),
    )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
