"""The two networks that the page compares, and the pictures as they get them."""

from dataclasses import dataclass

from explorer.drawing.ranges import percent
from explorer.engine.network import Input
from explorer.engine.passes import to_numpy
from explorer.engine.values import Floats
from explorer.ui.cached import Opened
from explorer.ui.selection import Selection
from model.card import Pixels
from model.words import N_, tr

NAMES = {"mlp": N_("MLP"), "cnn": N_("CNN")}


@dataclass(frozen=True, eq=False)
class NetworkPair:
    """An MLP and a CNN trained on the same images in the same way."""

    mlp: Opened
    cnn: Opened

    @property
    def sides(self) -> dict[str, Opened]:
        """What each is called → the network."""
        return {tr(NAMES["mlp"]): self.mlp, tr(NAMES["cnn"]): self.cnn}

    @property
    def mlp_weights(self) -> Floats:
        """The weights of the MLP's first layer, float32 (hidden, 3·s·s)."""
        return to_numpy(self.mlp.checkpoint.state["fc1.weight"])

    @property
    def cnn_weights(self) -> Floats:
        """The kernels of the CNN's first layer, float32 (C, 3, 3, 3)."""
        return to_numpy(self.cnn.checkpoint.state["conv1.weight"])

    @staticmethod
    def accuracy(opened: Opened) -> str:
        """The test accuracy that its card records."""
        return percent(opened.card.metrics["test_accuracy"])


def framed(opened: Opened, selection: Selection) -> Pixels:
    """The pixels that a network gets of a picture, uint8 (s, s, 3)."""
    return opened.card.framed(selection.sample.pixels, selection.fit)


def input_of(opened: Opened, selection: Selection) -> Input:
    """What a network gets of a picture, float32 (1, 3, s, s)."""
    return Input(opened.card.to_input(selection.sample.pixels, selection.fit))
