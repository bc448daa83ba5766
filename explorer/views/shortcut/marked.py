"""Which networks the page compares, and the chosen scene as each of them gets it, with and without a mark."""

from dataclasses import dataclass, replace

from explorer.drawing import ranges
from explorer.drawing.ranges import Range
from explorer.engine.attribution import heat_from
from explorer.engine.samples import FromScene, in_classes
from explorer.engine.shortcut import OnMark, on_mark
from explorer.engine.tracing import Block, stages
from explorer.engine.values import Floats
from explorer.ui import cached, choices
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed
from explorer.ui.markdown import literal
from explorer.ui.options import options
from explorer.ui.selection import Selection
from model.problems import Problem
from model.scenes import CLASSES
from model.shortcut import SMALLEST, with_mark
from model.words import N_, tr

CONTROL, SHORTCUT = "scenes-course", "scenes-shortcut"
OWN = "own"
INTRODUCTION = N_(
    "Two networks of the same kind: **{shortcut}** was trained on scenes in which a small mark near a corner "
    "is that of the class in **{fraction}** of them and of a random class in the others, **{control}** on "
    "scenes without marks. The mark is one of five colors, at the top for the first five classes and at the "
    "bottom for the others. It is planted here in the {size} × {size} pixels that the networks get."
)


ALWAYS = N_(
    "Two networks of the same kind: **{shortcut}** was trained on scenes in which a small mark near a corner "
    "is always that of the class, **{control}** on scenes without marks. The mark is one of five colors, at "
    "the top for the first five classes and at the bottom for the others. It is planted here in the "
    "{size} × {size} pixels that the networks get."
)


@dataclass(frozen=True, eq=False)
class Networks:
    """The network trained without marks, and the one trained with them in a `fraction` of the scenes."""

    control: Opened
    shortcut: Opened
    fraction: float


@dataclass(frozen=True, eq=False)
class MarkedSide:
    """One network with the scene: without a mark, with it, Grad-CAM of its prediction with it at a layer."""

    plain: Selection
    marked: Selection
    layer: str
    heat: Floats
    range: Range
    on: OnMark

    @property
    def name(self) -> str:
        return self.marked.opened.name


@dataclass(frozen=True, eq=False)
class MarkedPair:
    """Both networks with the same scene of class `label` and the same mark."""

    control: MarkedSide
    shortcut: MarkedSide
    label: int
    mark: int

    @property
    def sides(self) -> tuple[MarkedSide, MarkedSide]:
        return self.control, self.shortcut


def networks(chosen: Opened) -> Networks:
    """The shipped pair, or with the chosen network in place of the second if it was trained with marks.

    Problem where one of them is not there.
    """
    sources = options().checkpoints
    own = planted_fraction(chosen) is not None
    for name in (CONTROL, *([] if own else [SHORTCUT])):
        if name not in sources:
            raise Problem(
                "This page compares the checkpoints {control} and {shortcut}, but {name} is not in the "
                "folder `checkpoints`; copy it there, or train a network with marks by "
                "`python -m model.train --dataset scenes --shortcut 1` and choose it in the sidebar."
                if name == SHORTCUT
                else "This page compares the checkpoints {control} and {shortcut}, but {name} is not in the "
                "folder `checkpoints`; copy it there.",
                control=CONTROL,
                shortcut=SHORTCUT,
                name=name,
            )
    control = cached.opened(CONTROL, sources[CONTROL])
    shortcut = chosen if own else cached.opened(SHORTCUT, sources[SHORTCUT])
    fraction = planted_fraction(shortcut)
    if fraction is None or any(each.card.classes != CLASSES for each in (control, shortcut)):
        raise Problem(
            "The checkpoint {name} was not trained with marks; train one with "
            "`python -m model.train --dataset scenes --shortcut 1`.",
            name=shortcut.name,
        )
    return Networks(control, shortcut, fraction)


def planted_fraction(opened: Opened) -> float | None:
    """The fraction of scenes in which a network's training had the mark of the class; None without marks."""
    fraction = opened.card.config.get("shortcut")
    usable = opened.card.input_size >= SMALLEST and opened.card.channels == 3
    return float(fraction) if usable and isinstance(fraction, int | float) and 0 <= fraction <= 1 else None


def introduction(pair: Networks) -> str:
    """What the two networks are, as Markdown."""
    return tr(
        ALWAYS if pair.fraction == 1 else INTRODUCTION,
        shortcut=literal(pair.shortcut.name),
        control=literal(pair.control.name),
        fraction=f"{100 * pair.fraction:g}%",
        size=pair.shortcut.card.input_size,
    )


def not_chosen(chosen: Opened, pair: Networks) -> str:
    """That the checkpoint chosen in the sidebar is neither of the two, as Markdown; "" where it is one."""
    if any(chosen.checkpoint.digest == each.checkpoint.digest for each in (pair.control, pair.shortcut)):
        return ""
    return tr(
        "The checkpoint chosen in the sidebar, {name}, is neither of them: this page shows it only if it was "
        "trained with marks.",
        name=literal(chosen.name),
    )


def label_of(selection: Selection) -> int | None:
    """The class of the chosen scene, an index into CLASSES; None where it is not a drawn scene."""
    if not isinstance(selection.sample.origin, FromScene):
        return None
    return in_classes(selection.sample, selection.card.classes, CLASSES).label


def choose_mark(label: int) -> int:
    """The mark to plant: that of the scene's own class at first."""
    names = {OWN: tr("Mark of its own class")}
    names |= {name: tr("Mark of {name}", name=glossed(name)) for name in CLASSES}
    mark = choices.pick(tr("Mark"), names, "mark", OWN, width=250)
    return label if mark == OWN else CLASSES.index(mark)


def plain(selection: Selection, opened: Opened) -> Selection:
    """The chosen scene as a network gets it."""
    sample = in_classes(selection.sample, selection.card.classes, CLASSES)
    framed = opened.card.framed(selection.sample.pixels, selection.fit)
    return Selection(opened, replace(sample, pixels=framed, mask=None))


def pair(selection: Selection, networks: Networks, mark: int, block: Block) -> MarkedPair:
    """Both networks with the scene and a mark, explained at the last stage but pooling of a block."""
    first, second = (plain(selection, opened) for opened in (networks.control, networks.shortcut))
    number = second.blocks.index(block)
    sides = [side(one, mark, min(number, len(one.blocks) - 1)) for one in (first, second)]
    label = second.sample.label
    return MarkedPair(sides[0], sides[1], 0 if label is None else label, mark)


def side(one: Selection, mark: int, number: int) -> MarkedSide:
    marked = replace(one, sample=replace(one.sample, pixels=with_mark(one.sample.pixels, mark)))
    layer = explained_layer(one, number)
    gradients = cached.gradients(marked.network, marked.input, (layer,), (marked.predicted,))
    heat = heat_from(marked.net, gradients[layer][0], "grad_cam").values
    on = on_mark(heat, mark, marked.card.input_size)
    return MarkedSide(one, marked, layer, heat, ranges.symmetric(heat), on)


def explained_layer(one: Selection, number: int) -> str:
    """The layer of a block that is explained: its activation, or what it has instead."""
    layers = stages(one.blocks[number], one.seen)
    return next(layers[stage] for stage in ("act", "norm", "conv", "pool") if stage in layers)
