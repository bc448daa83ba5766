"""Questions that several pages ask in the same words, kept in the link and across pages."""

import streamlit as st

from explorer.engine.tracing import Block, stages
from explorer.ui import link
from explorer.ui.selection import Selection

STAGE_NAMES = {
    "conv": "Convolution",
    "norm": "BatchNorm",
    "act": "ReLU",
    "pool": "Pooling",
}
EVIDENCE_NAMES = {"positive": "Speaking for it", "signed": "For and against"}
SCALE_NAMES = {"shared": "One scale", "own": "Each its own"}


def choice(label: str, names: dict[str, str], key: str, default: str | None = None) -> str:
    """One of a few, as a row of buttons; the answer is a key of `names`."""
    first = default if default in names else next(iter(names))
    return str(
        link.choose(
            st.segmented_control, label, list(names), key, first, required=True, format_func=names.get
        )
    )


def pick(label: str, names: dict[str, str], key: str, default: str | None = None, **details: object) -> str:
    """One of a few, as a list that folds away; the answer is a key of `names`."""
    first = default if default in names else next(iter(names))
    return str(link.choose(st.selectbox, label, list(names), key, first, format_func=names.get, **details))


def block_names(found: tuple[Block, ...]) -> dict[str, str]:
    """Number → what a block is called: by its convolution's path."""
    return {str(number): f"Block {number} · {block.conv}" for number, block in enumerate(found, start=1)}


def choose_block(selection: Selection, key: str = "block") -> Block:
    """One conv block, in the words of the network; a list once they are too many for a row."""
    names = block_names(selection.blocks)
    if len(names) <= 4:
        return selection.blocks[int(choice("Block", names, key)) - 1]
    number = link.choose(st.selectbox, "Block", list(names), key, "1", format_func=names.get)
    return selection.blocks[int(number) - 1]


def choose_layer(selection: Selection, prefix: str = "") -> tuple[Block, str, str]:
    """A block, a stage it has, and the layer they name."""
    block = choose_block(selection, f"{prefix}block")
    found = stages(block, selection.seen)
    stage = choice("Stage", {stage: STAGE_NAMES[stage] for stage in found}, f"{prefix}stage", "act")
    return block, stage, found[stage]
