"""From any page to one channel: on the page of feature maps, or on its own."""

from typing import Literal

from explorer.engine.tracing import stages
from explorer.ui import link
from explorer.ui.selection import Selection


def open_channel(
    selection: Selection, layer: str, channel: int, page: Literal["maps", "channel"] = "maps"
) -> None:
    """Choose a channel of a layer of a block, and open the page that shows it."""
    for index, block in enumerate(selection.blocks, start=1):
        for stage, name in stages(block, selection.seen).items():
            if name == layer:
                choices = {"block": str(index), "stage": stage, "channel": str(channel), "cell": ""}
                for key, value in choices.items():
                    link.change(key, value)
                link.open_page(page)
