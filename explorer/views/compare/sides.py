"""A side of Compare: what one of the two columns shows."""

from dataclasses import dataclass

from explorer.engine.tracing import Block, stages
from explorer.engine.values import Floats
from explorer.ui import choices, link
from explorer.ui.selection import Selection


@dataclass(frozen=True, eq=False)
class Side:
    """A layer of a selection's network, and what the block that it is in is called by."""

    selection: Selection
    layer: str
    conv: str

    @property
    def maps(self) -> Floats:
        """The feature maps (C, h, w) of the layer."""
        return self.selection.seen.maps[self.layer]

    @property
    def target(self) -> str:
        """The name of the class to explain."""
        return self.selection.card.classes[self.selection.target]

    @property
    def target_name(self) -> str:
        """The class to explain as the page writes it."""
        return self.selection.target_name


def choose_like(
    selection: Selection, other: Selection, prefix: str, block: Block, stage: str
) -> tuple[Block, str, str]:
    """A layer of B: at first that block of A's and this stage, for as long as the visitor chooses no other.

    Where the two have different numbers of blocks it is B's last one.
    """
    alike = len(selection.blocks) == len(other.blocks)
    number = str(selection.blocks.index(block) + 1 if alike else choices.last_block(other))
    link.follow_default(f"{prefix}block", number)
    link.follow_default(f"{prefix}stage", stage)
    return choices.choose_layer(other, prefix, stage, number)


def another_stage(selection: Selection, block: Block, stage: str) -> str:
    """The stage before this one in a block, or after it where it is the first; itself where it is alone."""
    names = list(stages(block, selection.seen))
    index = names.index(stage)
    return names[index - 1 if index else min(1, len(names) - 1)]
