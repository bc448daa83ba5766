"""What the commands `explorer.scan` and `explorer.scoreboard` have in common."""

import argparse
from collections.abc import Callable
from typing import Any

import torch

from explorer.engine.network import Network, network_of
from explorer.engine.opening import open_source
from explorer.network_flags import add_input, path, source_of
from explorer.network_flags import add_network as add_building
from model import failures
from model.arguments import Parser
from model.training.run import find_device, set_precision
from model.words import tr


def add_network(parser: Parser) -> None:
    """The flags that say which network, and where the results go."""
    add = parser.first.add_argument
    add("--checkpoint", type=path, required=True, metavar="FILE", help=tr("the network’s weights"))
    add("--out", type=path, required=True, metavar="DIR", help=tr("the folder of the results"))
    own = parser.add_argument_group(tr("your own network (the same flags as the explorer’s)")).add_argument
    add_building(own)
    add_input(own)


def add_device(add: Callable[..., Any]) -> None:
    device = tr("the device: cpu, cuda, …; auto: cuda if available, else cpu")
    add("--device", default="auto", metavar="NAME", help=device)


def device(options: argparse.Namespace) -> torch.device:
    """The device of the flag, with whole float32 products, as on a CPU. Raises Problem."""
    set_precision("float32")
    return find_device(options.device)


def network(options: argparse.Namespace) -> Network:
    """The network of the flags. Raises Problem."""
    opening = open_source(source_of(options))
    return network_of(opening.checkpoint, opening.checkup)


def sentence_of(error: Exception, memory: str) -> str:
    """What was wrong and what to do; "" for an error of the program itself. `memory`: if that ran out."""
    if failures.is_out_of_memory(error):
        return memory
    if failures.is_of_lost_process(error):
        return tr(
            "Another process of this run has ended; read its last message, and start the same command again."
        )
    return failures.sentence_of(error)
