"""Choices that several pages offer in the same words, kept in the link and across pages."""

from collections.abc import Collection, Sequence

import streamlit as st

from explorer.engine.tracing import Block, last_with_positions, layer_module, layer_path, leaf_paths, stages
from explorer.ui import link
from explorer.ui.class_names import glossed
from explorer.ui.components.channel_grid import SCALES
from explorer.ui.frame import presentation
from explorer.ui.markdown import code, literal
from explorer.ui.selection import Selection
from model.words import N_, ngettext, paragraph, tr

STAGE_NAMES = {
    "conv": N_("Convolution"),
    "norm": N_("Normalization"),
    "act": N_("Activation"),
    "pool": N_("Pooling"),
}
MOST_BLOCKS = 4  # shown side by side at first
ROW = 4  # choices that stand side by side; more become a list
PREDICTED, RUNNER_UP, ALL = "predicted", "runner-up", "all"  # options beside the classes
EVIDENCE_NAMES = {"positive": N_("Positive contribution"), "signed": N_("Positive and negative")}
SCALE_NAMES = {"shared": N_("Shared scale"), "own": N_("Per map")}


def choice(label: str, names: dict[str, str], key: str, default: str | None = None) -> str:
    """A key of `names`, chosen by a row of buttons, or by a select box where they are too many for a row."""
    if len(names) > ROW:
        return pick(label, names, key, default)
    first = default if default in names else next(iter(names))
    labels = {option: literal(name) for option, name in names.items()}
    return str(
        link.choose(
            st.segmented_control, label, list(names), key, first, required=True, format_func=labels.get
        )
    )


def pick(label: str, names: dict[str, str], key: str, default: str | None = None, **details: object) -> str:
    """A key of `names`, chosen by a select box; a width in pixels grows with the size of the page."""
    first = default if default in names else next(iter(names))
    if isinstance(width := details.get("width"), int):
        details["width"] = presentation.pixels(width)
    return str(link.choose(st.selectbox, label, list(names), key, first, format_func=names.get, **details))


def class_option(name: str, beside: str) -> str:
    """A class as an option beside another one: its name, with a sign before one that would be that option.

    >>> class_option("cat", "all"), class_option("all", "all"), class_option("=all", "all")
    ('cat', '=all', '==all')
    """
    return f"={name}" if name.lstrip("=") == beside else name


def choose_class(
    label: str, classes: Collection[str], key: str, other: str, other_label: str, **details: object
) -> str | None:
    """One of `classes` by a select box; None for the option `other`, the first one and the default."""
    names = {class_option(name, other): name for name in classes}
    labels = {option: glossed(name) for option, name in names.items()}
    return names.get(pick(label, {other: other_label, **labels}, key, **details))


def class_chosen(key: str, classes: Collection[str], other: str) -> str | None:
    """What `choose_class` gives for a key that this run draws later, or another page draws."""
    return {class_option(name, other): name for name in classes}.get(link.chosen(key, other))


def block_names(blocks: tuple[Block, ...]) -> dict[str, str]:
    """Number → what a block is called: by its convolution's path, or that of its norm or activation."""
    return {
        str(number): tr("Block {number} · {layer}", number=number, layer=block.name)
        for number, block in enumerate(blocks, start=1)
    }


def blocks_found(selection: Selection) -> str:
    """How many blocks the network has, and which of its layers belong to none, as Markdown."""
    count = sum(block.conv is not None for block in selection.blocks)
    within = {name for block in selection.blocks for name in stages(block, selection.seen).values()}
    inside = {layer_path(selection.net, name) for name in within}
    kinds: dict[str, list[str]] = {}
    for path in leaf_paths(selection.net):
        if path not in inside:
            kinds.setdefault(type(layer_module(selection.net, path)).__name__, []).append(path)
    sentences = [ngettext("{n} conv block.", "{n} conv blocks.", count)]
    if others := len(selection.blocks) - count:
        sentences.append(
            ngettext("{n} block without convolution.", "{n} blocks without convolution.", others)
        )
    if kinds:
        named = [
            tr("{block} ({kind})", block=_few(paths), kind=literal(kind)) for kind, paths in kinds.items()
        ]
        layers = tr(", ").join(named)
        sentences.append(
            ngettext(
                "Layers outside it: {layers}.",
                "Layers outside them: {layers}.",
                len(selection.blocks),
                layers=layers,
            )
        )
    return paragraph(sentences)


def _few(paths: list[str]) -> str:
    """Up to three layer names, or two and how many more there are."""
    if len(paths) <= 3:
        return tr(", ").join(map(code, paths))
    two = tr(", ").join(map(code, paths[:2]))
    return tr("{layers} and {count} more", layers=two, count=len(paths) - 2)


def choose_block(selection: Selection, key: str = "block", first: str = "1") -> Block:
    """One conv block by its number and layer name; at first that of the number `first`."""
    return selection.blocks[int(choice(tr("Block"), block_names(selection.blocks), key, first)) - 1]


def last_block(selection: Selection) -> str:
    """The number of the last block whose maps have several positions; without any, of the last block."""
    layers = [block.explained for block in selection.blocks]
    return str(1 + layers.index(last_layer(selection, layers)))


def last_layer(selection: Selection, layers: Sequence[str]) -> str:
    """The last of some layers whose maps have several positions; without any, the last one."""
    return last_with_positions(layers, selection.seen.shapes)


def choose_blocks(selection: Selection, most: int = MOST_BLOCKS, key: str = "blocks") -> dict[int, Block]:
    """Number → block, for a page that shows several: all, or `most` spread evenly where there are more.

    Then a list lets others be chosen; the last block is among those spread.
    """
    names = block_names(selection.blocks)
    chosen = list(names)
    if len(names) > most:
        spread = [chosen[index] for index in at_first(len(names), most)]
        chosen = link.several(st.multiselect, tr("Blocks"), chosen, key, spread, format_func=names.get)
    return {int(number): selection.blocks[int(number) - 1] for number in sorted(chosen, key=int)}


def at_first(count: int, most: int = MOST_BLOCKS) -> list[int]:
    """The indices 0 … count − 1, or `most` of them evenly spread where there are more."""
    return list(range(count)) if count <= most else spread_evenly(count, most)


def spread_evenly(count: int, most: int) -> list[int]:
    """`most` of the indices 0 … count − 1, evenly spread and ending with the last.

    >>> spread_evenly(20, 4), spread_evenly(5, 4)
    ([4, 9, 14, 19], [1, 2, 3, 4])
    """
    return [-(-count * (step + 1) // most) - 1 for step in range(most)]


def stage_names(selection: Selection, blocks: Collection[Block]) -> dict[str, str]:
    """Stage that one of the blocks has → its name: by its kind, such as BatchNorm, if all are of one."""
    of_blocks = [stages(block, selection.seen) for block in blocks]
    names = {stage: tr(name) for stage, name in STAGE_NAMES.items() if any(stage in one for one in of_blocks)}
    for stage in names.keys() & {"norm", "act"}:
        layers = [one[stage] for one in of_blocks if stage in one]
        kinds = {type(layer_module(selection.net, layer)).__name__ for layer in layers}
        if len(kinds) == 1:
            names[stage] = kind_name(kinds.pop().removesuffix("2d"))
    return names


def kind_name(kind: str) -> str:
    """A kind of layer as a page writes it: BatchNorm in the language in use, others as PyTorch has them."""
    return tr("BatchNorm") if kind == "BatchNorm" else kind


def choose_layer(
    selection: Selection, prefix: str = "", first: str = "act", first_block: str = "1"
) -> tuple[Block, str, str]:
    """A block, a stage it has (at first `first`), and the layer they name."""
    block = choose_block(selection, f"{prefix}block", first_block)
    layers = stages(block, selection.seen)
    names = stage_names(selection, [block])
    stage = choice(tr("Stage"), {stage: names[stage] for stage in layers}, f"{prefix}stage", first)
    return block, stage, layers[stage]


def grid_scale() -> str:
    """On what scale the link wants grids of channels: one for all, or one for each channel."""
    scale = link.value("scale", SCALES[0])
    return scale if scale in SCALES else SCALES[0]
