"""By what channels are ranked: how far the mean moves, or the whole distribution."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from explorer.engine.distribution import HALVES
from explorer.engine.shift import NormDrift
from explorer.engine.values import Doubles, Integers
from model.words import N_, tr


@dataclass(frozen=True)
class Ranking:
    """What orders the channels, with its texts; of a layer, (C,) each: `size`, the `ends` of its interval,
    what it is beside by `chance`, and where it is `beyond` that.
    """

    title: str
    of_layers: str
    layers_axis: str
    of_channels: str
    channels_axis: str
    alt: str
    beyond_text: str
    about: str
    size: Callable[[NormDrift], Doubles]
    ends: Callable[[NormDrift], tuple[Doubles, Doubles]]
    chance: Callable[[NormDrift], Doubles]
    beyond: Callable[[NormDrift], npt.NDArray[np.bool_]]

    def order(self, one: NormDrift) -> Integers:
        """The channels of a layer, the largest first."""
        return np.argsort(-self.size(one), kind="stable")

    def explained(self) -> str:
        return tr(self.about, halves=HALVES)


def _ends_of_mean(one: NormDrift) -> tuple[Doubles, Doubles]:
    """The interval of the size of the shift."""
    sizes = np.abs(np.stack([one.low, one.high]))
    crosses = np.sign(one.low) != np.sign(one.high)
    return np.where(crosses, 0.0, sizes.min(0)), sizes.max(0)


RANKINGS = {
    "mean": Ranking(
        title=N_("Shift of the mean"),
        of_layers=N_("Shift of the mean in each layer: {severity}"),
        layers_axis=N_("size of the shift, in running σ: median, quartiles"),
        of_channels=N_("Channels of {layer} whose mean moves most: {severity}"),
        channels_axis=N_("size of the shift, in running σ: 95% interval"),
        alt=N_("{title}, with 95% intervals and what resampling gives"),
        beyond_text=N_(
            "At {severity}, the means of **{n}** of the {count} channels of {layer} have moved further than "
            "resampling explains."
        ),
        about=N_(
            "Ranked by the shift of the mean: the mean over images and positions, less that of the unshifted "
            "images, divided by the running σ of the channel. Diamonds: 95% of differences between two "
            "draws of as many unshifted images (with replacement) are smaller, so about 1 channel in 20 "
            "lies beyond by chance alone. Gray: not beyond."
        ),
        size=lambda one: np.abs(one.shift),
        ends=_ends_of_mean,
        chance=attrgetter("chance"),
        beyond=attrgetter("beyond"),
    ),
    "distribution": Ranking(
        title=N_("Shift of the distribution"),
        of_layers=N_("Shift of the distribution in each layer: {severity}"),
        layers_axis=N_("Wasserstein-1 distance, in running σ: median, quartiles"),
        of_channels=N_("Channels of {layer} whose distribution moves most: {severity}"),
        channels_axis=N_("Wasserstein-1 distance, in running σ"),
        alt=N_("{title}, beside the distance between random halves"),
        beyond_text=N_(
            "At {severity}, the distributions of **{n}** of the {count} channels of {layer} have moved "
            "further than random halves of the unshifted images differ."
        ),
        about=N_(
            "Ranked by the shift of the distribution: the Wasserstein-1 distance between the values on "
            "shifted and on unshifted images, divided by the running σ of the channel. That is how far a "
            "value must move on average to turn one distribution into the other. It is at least the shift of "
            "the mean, and it also finds channels whose values only spread or change shape. It comes from "
            "histograms of at most 64 positions of each map. Diamonds: the largest distance in {halves} "
            "divisions of the unshifted images into random halves. Gray: not beyond."
        ),
        size=attrgetter("moved"),
        ends=lambda one: (one.moved, one.moved),
        chance=attrgetter("between_halves"),
        beyond=attrgetter("moved_beyond"),
    ),
}
