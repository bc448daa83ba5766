"""The layers with BatchNorm, and what a network has in the place of it."""

import streamlit as st
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.engine.batchnorm import batchnorms
from explorer.engine.stage import stage_of
from explorer.engine.tracing import layer_module
from explorer.ui import choices
from explorer.ui.frame import checkup
from explorer.ui.markdown import literal
from explorer.ui.selection import Selection
from model.words import N_, ngettext, paragraph, tr

MOST_NAMED = 4  # channels or blocks that a sentence names
OTHER_NORMS = {
    nn.GroupNorm: N_("GroupNorm normalizes with the mean and variance of groups of channels."),
    nn.LayerNorm: N_("LayerNorm normalizes with the mean and variance over its normalized_shape."),
    nn.modules.instancenorm._InstanceNorm: N_(
        "InstanceNorm normalizes with each channel’s own mean and variance."
    ),
    nn.LocalResponseNorm: N_("LocalResponseNorm divides by the sum of squares of neighboring channels."),
}


def norm_layers(selection: Selection) -> dict[str, str]:
    """Layer → its name on the page, for every BatchNorm that ran."""
    numbers = {block.norm: number for number, block in enumerate(selection.blocks, start=1) if block.norm}
    return {
        layer: tr("Block {number} · {layer}", number=numbers[layer], layer=layer)
        if layer in numbers
        else tr("{layer} (outside the blocks)", layer=layer)
        for layer in batchnorms(selection.net, selection.seen)
    }


def left_out(selection: Selection) -> None:
    """Name the blocks without BatchNorm."""
    have = set(batchnorms(selection.net, selection.seen))
    names = choices.block_names(selection.blocks).values()
    others = [
        tr("{block} ({kind})", block=name, kind=norm_kind(selection.net, block.norm))
        for block, name in zip(selection.blocks, names, strict=True)
        if block.norm not in have
    ]
    if others:
        st.caption(tr("Without BatchNorm: {blocks}.", blocks=literal(listed(others, MOST_NAMED))))


def norm_kind(net: nn.Module, norm: str | None) -> str:
    return tr("no normalization") if norm is None else type(layer_module(net, norm)).__name__


def without_batchnorm(selection: Selection) -> str:
    """Why there is nothing to compare in a network without BatchNorm."""
    norms = [layer_module(selection.net, block.norm) for block in selection.blocks if block.norm]
    if others := dict.fromkeys(
        type(each).__name__ for each in selection.net.modules() if isinstance(each, _BatchNorm)
    ):
        some = tr(
            "The BatchNorm layers of this network ({kinds}) did not run, or do not normalize feature maps or "
            "tokens with known positions; only those are compared here.",
            kinds=tr(", ").join(others),
        )
        return paragraph(filter(None, (some, checkup.reason_without_maps(selection.opened))))
    norms = norms or [each for each in selection.net.modules() if stage_of(each) == "norm"]
    if not norms:
        return tr(
            "This network has no BatchNorm: nothing is normalized, so there are no statistics to compare."
        )
    sentences = [tr("This network has no BatchNorm."), *dict.fromkeys(map(other_norm_text, norms))]
    if not all(isinstance(norm, (*OTHER_NORMS, nn.RMSNorm)) for norm in norms):
        sentences.append(
            tr("What it normalizes with is not known; only BatchNorm layers of torch are compared here.")
        )
    elif not any(getattr(norm, "track_running_stats", False) for norm in norms):
        sentences.append(
            tr(
                "Each image is normalized by itself, without statistics from training, in train mode and in "
                "eval mode alike, so there is nothing to compare here."
            )
        )
    return paragraph(sentences)


def other_norm_text(norm: nn.Module) -> str:
    if isinstance(norm, nn.GroupNorm) and norm.num_groups == 1:
        return tr(
            "GroupNorm with one group normalizes with the mean and variance of all channels together, as "
            "LayerNorm does."
        )
    known = next((text for kind, text in OTHER_NORMS.items() if isinstance(norm, kind)), None)
    return tr("Its normalization layer is {kind}.", kind=type(norm).__name__) if known is None else tr(known)


def listed(names: list[str], most: int) -> str:
    """Some names with commas between them, and how many more there are."""
    first = tr(", ").join(names[:most])
    if len(names) <= most:
        return first
    return ngettext("{names} and {n} more", "{names} and {n} more", len(names) - most, names=first)
