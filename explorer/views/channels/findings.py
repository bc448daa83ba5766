"""What is found of a layer's channels, in sentences: the channels by number, and what explains them."""

from collections.abc import Sequence

import numpy as np

from explorer.drawing.ranges import percent, plain_number
from explorer.engine.channel_survey import ChannelSurvey
from explorer.ui.markdown import code
from model.words import N_, ngettext, tr

MOST = 6  # channels that are explained one by one
DECIDES = 0.99  # a fraction of zeros by γ and β from here on explains a dead channel
ONLY_LEARNED = N_("Channel {channel} is dead: γ = {gamma}, β = {beta}.")
EXPLAINED = N_(
    "Channel {channel} is dead: γ = {gamma} and β = {beta} put {zeros} of a normal distribution at zero."
)
NOT_EXPLAINED = N_(
    "Channel {channel} is dead, but γ = {gamma} and β = {beta} would put only {zeros} of a normal "
    "distribution at zero: what arrives is not distributed as in training, or not normally."
)


def findings(surveyed: ChannelSurvey) -> list[str]:
    """Sentences, as Markdown."""
    return [
        *dead(surveyed),
        always_on(surveyed),
        *constant(surveyed),
        near_duplicates(surveyed),
        faint(surveyed),
    ]


def listed(channels: Sequence[int]) -> str:
    """The numbers of some channels; of many only the first."""
    return tr(", ").join(map(str, channels[: 2 * MOST])) + (" …" if len(channels) > 2 * MOST else "")


def dead(surveyed: ChannelSurvey) -> list[str]:
    channels = np.flatnonzero(surveyed.dead).tolist()
    if not channels:
        return [tr("**No dead channel**: each is different from zero somewhere")]
    count = ngettext(
        "**{n} dead channel**: {channels}", "**{n} dead channels**: {channels}", len(channels),
        channels=listed(channels),
    )  # fmt: skip
    return [count, *(explained(surveyed, channel) for channel in channels[:MOST] if surveyed.scaling)]


def explained(surveyed: ChannelSurvey, channel: int) -> str:
    """How γ and β explain a dead channel, or that they do not."""
    scaling, zeros = surveyed.scaling, surveyed.expected_zeros
    assert scaling is not None
    template = ONLY_LEARNED
    if zeros is not None:
        template = EXPLAINED if zeros[channel] >= DECIDES else NOT_EXPLAINED
    return tr(
        template,
        channel=channel,
        gamma=plain_number(scaling.gamma[channel]),
        beta=plain_number(scaling.beta[channel]),
        zeros="" if zeros is None else percent(float(zeros[channel])),
    )


def always_on(surveyed: ChannelSurvey) -> str:
    channels = np.flatnonzero(surveyed.always_on).tolist()
    if not surveyed.has_zeros:
        return tr("Almost no value of this layer is exactly zero, so no channel is on or off in it")
    if not channels:
        return tr("**No channel is always on**: each is zero somewhere")
    return ngettext(
        "**{n} channel is always on**: {channels}", "**{n} channels are always on**: {channels}",
        len(channels), channels=listed(channels),
    )  # fmt: skip


def constant(surveyed: ChannelSurvey) -> list[str]:
    channels = np.flatnonzero(surveyed.constant).tolist()
    if not channels:
        return []
    return [
        ngettext(
            "**{n} channel is constant**, the same for every image: {channels}",
            "**{n} channels are constant**, the same for every image: {channels}",
            len(channels),
            channels=listed(channels),
        )
    ]


def near_duplicates(surveyed: ChannelSurvey) -> str:
    """Which pairs are near-duplicates, beside how high correlations are by chance."""
    partners = surveyed.partners
    chance = plain_number(partners.chance)
    if not np.isfinite(partners.correlation).any():
        return tr("**No near-duplicates**: fewer than two channels vary over these images")
    pairs = partners.pairs()
    if not pairs:
        highest = plain_number(float(np.nanmax(partners.correlation)))
        return tr(
            "**No near-duplicates**: the highest correlation of two channels is {highest} (with the images "
            "of each shuffled: {chance})",
            highest=highest,
            chance=chance,
        )
    named = tr(", ").join(
        tr("{one} and {other} ({correlation})", one=one, other=other, correlation=plain_number(value))
        for one, other, value in pairs[:MOST]
    )
    return ngettext(
        "**{n} pair of near-duplicates**, a channel and the one most like it, by their correlation: {pairs}; "
        "with the images of each channel shuffled, the highest of all is {chance}",
        "**{n} pairs of near-duplicates**, each a channel and the one most like it, by their correlation: "
        "{pairs}; with the images of each channel shuffled, the highest of all is {chance}",
        len(pairs),
        pairs=named + (" …" if len(pairs) > MOST else ""),
        chance=chance,
    )


def faint(surveyed: ChannelSurvey) -> str:
    if surveyed.scaling is None:
        return tr("No normalization with a γ for each channel comes before this layer in its block")
    norm = code(surveyed.scaling.layer)
    if not surveyed.faint:
        least = plain_number(float(np.abs(surveyed.scaling.gamma).min()))
        return tr("**No γ near zero** in {norm}: the smallest |γ| is {least}", norm=norm, least=least)
    return ngettext(
        "**{n} channel with γ near zero** in {norm}: {channels}",
        "**{n} channels with γ near zero** in {norm}: {channels}",
        len(surveyed.faint),
        norm=norm,
        channels=listed(surveyed.faint),
    )
