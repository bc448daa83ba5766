"""Opened checkpoints."""

from dataclasses import dataclass

from explorer.engine.checkup import Checkup
from explorer.engine.network import Network, network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.ui.cached.keys import announced, resource, stamp_of
from model.card import Card
from model.checkpoint import Checkpoint, files_read
from model.words import N_


@dataclass(frozen=True, eq=False)
class Opened:
    """A checkpoint with its one network, which all visitors share and nobody hooks."""

    name: str
    source: Source
    checkpoint: Checkpoint
    network: Network

    @property
    def card(self) -> Card:
        return self.network.card

    @property
    def checkup(self) -> Checkup:
        return self.network.checkup


def opened(name: str, source: Source) -> Opened:
    """The network of a source, its files as they are now on disk. Raises Problem."""
    files = files_read(source.path) if source.path else ()
    return _opened(name, source, tuple(map(stamp_of, files)))


@resource(max_entries=6)
@announced(N_("Loading the checkpoint …"))
def _opened(name: str, source: Source, stamps: tuple[tuple[int, int], ...]) -> Opened:
    opening = open_source(source)
    network = network_of(opening.checkpoint, opening.checkup)
    return Opened(name, source, opening.checkpoint, network)
