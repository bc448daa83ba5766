"""A sequence of steps, played or gone through one by one: pictures with a window, products, sums, a value."""

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass

from explorer.ui.components.beside import component
from model.words import N_, tr

__all__ = ["Box", "Grid", "Picture", "Row", "Scene", "Stop", "Total", "play"]

Box = tuple[float, float, float, float]
"""Top, left, height and width, in cells of a picture."""

TEXTS = {
    "label": N_("Step by step from the picture to the class"),
    "play": N_("Play"),
    "pause": N_("Pause"),
    "back": N_("Back"),
    "next": N_("Next step"),
    "speed": N_("Speed"),
    "keys": N_("Space plays and pauses; the arrow keys go step by step."),
    "still": N_("Your system asks for less motion: go step by step, with the buttons or the arrow keys."),
}
SPEEDS = {"0.5": "0.5 ×", "1": "1 ×", "2": "2 ×", "4": "4 ×"}

_PLAY = component(__file__)


@dataclass(frozen=True)
class Picture:
    """A picture of `rows` × `columns` cells as a `data:` address, its caption, and where its frame is."""

    uri: str
    rows: int
    columns: int
    name: str
    alt: str
    box: Box


@dataclass(frozen=True)
class Grid:
    """Few values as cells of (text, background, ink, kind), row by row; the `sign` stands before it."""

    title: str
    label: str
    columns: int
    cells: tuple[tuple[str, str, str, str], ...]
    sign: str = ""
    small: bool = False


@dataclass(frozen=True)
class Row:
    """A term of a sum: its name, its text, and a bar from −1 to 1 of the largest (None: without).

    `zero` is where a bar begins, from 0 to 1. `running` is the sum up to here.
    """

    name: str
    text: str
    share: float | None = None
    zero: float = 0.0
    running: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Stop:
    """A place at which a value stops on its way along a line."""

    value: float
    text: str


@dataclass(frozen=True)
class Total:
    """What the rows lead to."""

    name: str
    text: str


@dataclass(frozen=True)
class Scene:
    """One step: what it reads (`left`) and gives (`right`), and the arithmetic between them.

    `sweep` are the frames of both pictures as the window slides, the last at its place. `thumb` is a `data:`
    address for the row of steps, a `sign` in its stead where there is none.
    """

    title: str
    sentence: str
    chip: str
    thumb: str = ""
    sign: str = ""
    left: Picture | None = None
    right: Picture | None = None
    sweep: tuple[tuple[Box, Box], ...] = ()
    grids: tuple[Grid, ...] = ()
    rows: tuple[Row, ...] = ()
    total: Total | None = None
    stops: tuple[Stop, ...] = ()


def play(scenes: Sequence[Scene], *, key: str, begins: bool = False) -> None:
    """Show the steps, the first one at first: played, at once if it `begins`, or gone through step by step.

    Where the visitor's system asks for less motion nothing moves, and there are only steps.
    """
    words = {name: tr(template) for name, template in TEXTS.items()}
    words["count"] = tr("Step {number} of {count}", number="{number}", count="{count}")
    data = {"words": words, "speeds": SPEEDS, "scenes": _plain(tuple(scenes)), "begins": begins}
    _PLAY(key=key, data=data)


def _plain(value: object) -> object:
    """Records as mappings, as `dataclasses.asdict` makes them, but without copies of what is in them."""
    if is_dataclass(value):
        return {name: _plain(each) for name, each in vars(value).items()}
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return [_plain(each) for each in value]
    return value
