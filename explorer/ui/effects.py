"""The measured effect of each channel of a layer, on every page that asks; in words where it agrees."""

from collections.abc import Sequence
from contextlib import suppress

from explorer.drawing.ranges import plain_number
from explorer.engine.ablation import WithoutSets
from explorer.engine.attribution import ChannelEvidence
from explorer.engine.effects import FIRST, Effects, channel_effects, channel_steps, effects_of
from explorer.ui import cached
from explorer.ui.jobs import JOBS, Progress, Work
from explorer.ui.selection import Selection
from model.words import ngettext, tr

AT_ONCE = 0.3  # seconds that a page waits for what may be quick before it shows itself without


def measuring(selection: Selection, layer: str) -> Work[WithoutSets]:
    """The work of switching each channel of a layer off; what is quick is done when this returns."""
    work = _work(selection, layer)
    if not cached.has_long_passes(selection.network, selection.input):
        with suppress(TimeoutError):  # it goes on, and is shown part by part
            JOBS.wait(work, seconds=AT_ONCE)
    return work


def _work(selection: Selection, layer: str) -> Work[WithoutSets]:
    network, input, channels = selection.network, selection.input, selection.seen.shapes[layer][0]
    return Work(
        "effects",
        (network, input, layer),
        channel_steps(channels),
        lambda: channel_effects(network.net, input.x, layer, channels),
    )


def measured_so_far(selection: Selection, evidence: ChannelEvidence) -> Effects | None:
    """What is measured by now; None before all channels are. Nothing is begun."""
    return effects(selection, evidence, JOBS.look(_work(selection, evidence.layer))[0])


def effects(
    selection: Selection, evidence: ChannelEvidence, progress: Progress[WithoutSets]
) -> Effects | None:
    """What was measured for the class to explain, of which the evidence is; None before all channels are."""
    if len(progress.results) < progress.steps:
        return None
    return effects_of(evidence, progress.results, selection.target)


def in_words(selection: Selection, one: Effects) -> list[str]:
    """How far the order by contribution agrees with the order by measured effect, in plain sentences."""
    count, name = len(one.falls), selection.target_name
    if count < 2:
        return []
    if one.correlation != one.correlation:
        return [tr("All contributions, or all measured effects, are equal, so there is no order to compare.")]
    correlation = tr(
        "Rank correlation of contribution and measured effect over the {count} channels of {layer}: {value}.",
        count=count,
        layer=one.layer,
        value=plain_number(one.correlation),
    )
    return [correlation, *_order(one, name), *_silent(one)]


def _order(one: Effects, name: str) -> list[str]:
    if len(one.falls) <= FIRST:
        return []
    if one.common == FIRST:
        return [
            tr(
                "The first {first} agree: the channels that contribute most are also the {first} whose "
                "removal lowers the logit of {class_name} most.",
                first=FIRST,
                class_name=name,
            )
        ]
    return [
        ngettext(
            "The first {first} differ: of the {first} channels that contribute most, {n} is among the "
            "{first} whose removal lowers the logit of {class_name} most. The channel whose removal lowers "
            "it most has rank {rank} by contribution.",
            "The first {first} differ: of the {first} channels that contribute most, {n} are among the "
            "{first} whose removal lowers the logit of {class_name} most. The channel whose removal lowers "
            "it most has rank {rank} by contribution.",
            one.common,
            first=FIRST,
            class_name=name,
            rank=one.rank_of_largest_fall,
        )
    ]


def _silent(one: Effects) -> list[str]:
    if not one.silent:
        return []
    return [
        ngettext(
            "{n} channel is zero at every position for this image: it contributes nothing and changes "
            "nothing.",
            "{n} channels are zero at every position for this image: they contribute nothing and change "
            "nothing.",
            one.silent,
        )
    ]


def waiting(progress: Sequence[Progress[WithoutSets]]) -> str:
    """How far the measurement is."""
    (one,) = progress
    return tr(
        "Measuring what each channel does: part {done} of {steps} is done.",
        done=len(one.results),
        steps=one.steps,
    )
