"""What a network reads of its input: one that crops it, inside of its forward pass, reads only a part."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.engine.places import Places
from explorer.engine.receptive import ReceptiveFields, receptive_fields
from model.pixels import Rectangle, whole
from model.problems import Problem

TAKING = ("Slice", "ConstantPadNd", "Split", "Unbind", "Index")
"""Operations, by the start of their names in the graph, that can take a part of a tensor."""
SAME = 1e-6  # of the largest output: a smaller change is rounding
DRAWS = 2  # of other pixels outside the part
STRONG = 3.0  # their standard deviation, in that of usual inputs

FAILURES = (RuntimeError, ValueError, IndexError, TypeError, AssertionError, Problem)


@dataclass(frozen=True)
class InputPart:
    """Of the input pixels, those that can change the outputs: `read`, None for all of them.

    `places` are the layers whose maps lie on less than the input; of the layers `unplaced` it is not known
    where they lie, though the network reads only a part.
    """

    read: Rectangle | None = None
    places: Places = ()
    unplaced: tuple[str, ...] = ()


ALL = InputPart()


def find_part(
    net: nn.Module,
    x: Tensor,
    outputs: Tensor,
    gradient: Tensor | None,
    takes_parts: bool,
    run: Callable[[Tensor], Tensor],
) -> InputPart:
    """The InputPart of a network that gives `outputs` for one image x, float (1, C, h, w).

    `gradient` is that of an output on x, `run` gives the outputs of another input. It costs nothing for a
    network that reads all of its input and takes no part of any tensor.
    """
    everything = whole(x.shape[2], x.shape[3])
    box = None if gradient is None else _box(gradient)
    if box == everything and not takes_parts:
        return ALL
    fields = _fields(net, x)
    places = tuple((layer, each.place) for layer, each in fields.items() if each.place != everything)
    candidates = dict.fromkeys(each for each in (box, _reached(fields)) if each not in (None, everything))
    read = next((each for each in candidates if each and _is_part(each, x, outputs, run)), None)
    placed = {layer for layer, _ in places}
    unknown = (layer for layer, each in fields.items() if not each.exact and layer not in placed)
    return InputPart(read, places, tuple(unknown) if read else ())


def _box(gradient: Tensor) -> Rectangle | None:
    """The smallest rectangle with every pixel on which the gradient (1, C, h, w) is not zero."""
    pixels = gradient.ne(0).any(1)[0]
    rows, columns = (pixels.any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return Rectangle(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if rows else None


def takes_parts(outputs: Tensor) -> bool:
    """Whether an operation before the outputs can take a part of a tensor; True where there is no graph."""
    if outputs.grad_fn is None:
        return True
    return any(name.startswith(TAKING) for name in _operations(outputs))


def _operations(outputs: Tensor) -> Iterator[str]:
    nodes, visited = [outputs.grad_fn], set[object]()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in visited:
            visited.add(node)
            nodes.extend(before for before, _ in node.next_functions)
            yield node.name()


def _fields(net: nn.Module, x: Tensor) -> Mapping[str, ReceptiveFields]:
    try:
        return receptive_fields(net, x)
    except FAILURES:  # a network that cannot be followed: its maps lie on the whole input
        return {}


def _reached(fields: Mapping[str, ReceptiveFields]) -> Rectangle | None:
    """What the positions of the last layer can read of the image."""
    if not fields:
        return None
    last = list(fields.values())[-1]
    ends = (last.row_reach[:, 0].min(), last.row_reach[:, 1].max(),
            last.column_reach[:, 0].min(), last.column_reach[:, 1].max())  # fmt: skip
    top, bottom, left, right = map(int, ends)
    return Rectangle(top, bottom, left, right) if top < bottom and left < right else None


def _is_part(part: Rectangle, x: Tensor, outputs: Tensor, run: Callable[[Tensor], Tensor]) -> bool:
    """Whether other pixels outside of it never change the outputs."""
    for seed in range(DRAWS):
        random = torch.Generator().manual_seed(seed)
        noise = (torch.randn(x.shape, generator=random) * STRONG).to(x)
        noise[(..., *part.inside)] = x[(..., *part.inside)]
        if not float((run(noise) - outputs).abs().max()) <= SAME * float(outputs.abs().max()):
            return False
    return True
