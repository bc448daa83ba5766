"""The scenes from the last feature maps to the class, and those of what is not spelled out."""

from collections.abc import Callable

import numpy as np

from explorer.drawing.ranges import probability, product
from explorer.engine.strongest_path import (
    DenseStep,
    FlattenStep,
    OperationStep,
    PathStep,
    Position,
    PredictionStep,
)
from explorer.ui.components.play import Row, Scene, Total
from explorer.ui.selection import Selection
from explorer.views.network.names import short
from explorer.views.network.scene_pieces import equals, terms_of, text_of
from model.words import N_, ngettext, tr

TERMS, CLASSES = 5, 6  # shown one by one of a dense layer's inputs, and of the classes
PLACE = N_("channel {channel}, row {row}, column {column}")
SOFTMAX = N_(
    "Softmax compares the logits of all {count} classes: e to the power of each, divided by their sum. "
    "“{class_name}” gets {percent}."
)
SIGMOID = N_(
    "Each label by itself: a sigmoid turns its logit into a probability. “{class_name}” gets {percent}."
)
ADDED = N_(
    "Outside of its layers, the network adds these values, as a skip connection does. The path follows the "
    "largest."
)
OUTSIDE = N_(
    "Outside of its layers, the network computes this value from those listed. Each counts by its derivative "
    "times itself; the path follows the largest."
)
INSIDE = N_(
    "What {layer} computes is not spelled out here. Each value that it depends on counts by its derivative "
    "times itself; the path follows the largest."
)


def flatten(step: FlattenStep) -> Scene:
    channel, row, column = step.origin
    channels, height, width = step.shape
    count, number = channels * height * width, step.position[0]
    template = N_(
        "{channels} maps of {height} × {width} positions become one row of {count} numbers, channel after "
        "channel. Nothing is computed: the value keeps its size and gets the number {number}."
    )
    fields = {"channels": channels, "height": height, "width": width, "count": f"{count:,}", "number": number}
    formula = f"{channel} · {height * width} + {row} · {width} + {column} = {number}"
    return Scene(
        tr("Flatten"),
        tr(template, **fields),
        tr("flatten"),
        sign="⋯",
        rows=(Row(tr(PLACE, channel=channel, row=row, column=column), text_of(step.value)),
              Row(tr("its number"), formula)),
    )  # fmt: skip


def dense(selection: Selection, step: DenseStep, before: PathStep | None, after: PathStep | None) -> Scene:
    unit, ends = step.position[0], _gives_logit(selection, step, after)
    products = step.products
    order = np.argsort(-np.abs(products), kind="stable").tolist()
    order = [step.origin[0], *[k for k in order if k != step.origin[0]][: TERMS - 1]]
    names = _unit_names(before)
    terms = [(names(k), float(products[k]), "chosen" if k == step.origin[0] else "") for k in order]
    texts = {
        names(k): " ".join(product(step.inputs[k], step.weights[k], text_of(float(products[k]))))
        for k in order
    }
    rest = len(products) - len(order)
    if rest:
        text = ngettext("{n:,} other input", "the {n:,} other inputs", rest)
        terms.append((text, float(products.sum() - products[order].sum()), ""))
    terms.append((tr("bias"), step.bias, ""))
    if ends:
        sentence = tr(
            "The logit of “{class_name}” is a weighted sum: each of {count} values times its weight for this "
            "class. Positive terms support the class, negative ones oppose it.",
            class_name=selection.class_names[unit], count=f"{len(products):,}",
        )  # fmt: skip
        total = tr("logit of “{class_name}”", class_name=selection.class_names[unit])
    else:
        sentence = tr(
            "Unit {unit} weighs all {count} values: each times a learned weight, added up.",
            unit=unit, count=f"{len(products):,}",
        )  # fmt: skip
        total = tr("value of unit {unit}", unit=unit)
    return Scene(
        tr("Dense layer · {layer}", layer=step.layer),
        sentence,
        short(step.layer),
        sign="Σ",
        rows=terms_of(terms, texts),
        total=Total(total, equals(step.value)),
    )


def _gives_logit(selection: Selection, step: DenseStep, after: PathStep | None) -> bool:
    """Whether it is the last layer, and nothing scales its value afterward."""
    logit = selection.seen.logits[selection.target]
    return isinstance(after, PredictionStep) and bool(np.isclose(step.value, logit, rtol=1e-3, atol=1e-3))


def _unit_names(before: PathStep | None) -> Callable[[int], str]:
    """How the inputs of a dense layer are called: by their place in the maps, or by their number."""
    if not isinstance(before, FlattenStep) or len(before.shape) != 3:
        return lambda k: tr("unit {unit}", unit=k)
    shape = before.shape

    def name(k: int) -> str:
        channel, row, column = np.unravel_index(k, shape)
        if shape[1] * shape[2] == 1:
            return tr("channel {channel}", channel=channel)
        return tr(PLACE, channel=channel, row=row, column=column)

    return name


def prediction_scene(selection: Selection, step: PredictionStep) -> Scene:
    prediction, target = step.prediction, step.target
    order = np.argsort(-prediction.logits, kind="stable")[:CLASSES].tolist()
    if target not in order:
        order[-1] = target
    names = selection.class_names
    rows = tuple(
        Row(
            names[k],
            _class_row(float(prediction.logits[k]), float(prediction.probabilities[k])),
            share=float(prediction.probabilities[k]),
            kind="chosen" if k == target else "",
        )
        for k in order
    )
    fraction = probability(float(prediction.probabilities[target]))
    title, template = (tr("Sigmoid"), SIGMOID) if prediction.independent else (tr("Softmax"), SOFTMAX)
    sentence = tr(template, class_name=names[target], percent=fraction, count=len(prediction.logits))
    return Scene(title, sentence, title, sign="%", rows=rows)


def _class_row(logit: float, fraction: float) -> str:
    return f"{text_of(logit)} → {probability(fraction)}"


# What is not spelled out


def operation(step: OperationStep) -> Scene:
    title = tr("{kind} · {layer}", kind=step.kind, layer=step.layer) if step.layer else tr("Between layers")
    terms = [(_part_name(part.layer, part.position), part.contribution, "") for part in step.parts]
    terms = [(name, value, "chosen" if index == 0 else "") for index, (name, value, _) in enumerate(terms)]
    if step.parts and step.count > len(step.parts):
        rest = step.count - len(step.parts)
        terms.append((ngettext("{n:,} other value", "{n:,} other values", rest), step.others, ""))
    if step.parts and abs(step.remainder) > 1e-3 * max(1.0, abs(step.value)):
        terms.append((tr("not in this sum"), step.remainder, ""))
    return Scene(
        title,
        _about_operation(step),
        short(step.layer) or "+",
        sign="+" if len(step.sources) > 1 else "ƒ",
        rows=terms_of(terms),
        total=Total(tr("value"), equals(step.value)),
    )


def _about_operation(step: OperationStep) -> str:
    if not step.parts:
        return tr("No derivative reaches a layer before this value, so the path begins here.")
    plain = all(part.derivative == 1 for part in step.parts) and step.count == len(step.parts)
    if not step.layer and plain and len(step.parts) > 1:
        return tr(ADDED)
    return tr(INSIDE, layer=step.layer) if step.layer else tr(OUTSIDE)


def _part_name(layer: str, position: Position) -> str:
    name = layer or tr("picture")
    if len(position) == 3:
        template = N_("{layer}: channel {channel}, row {row}, column {column}")
        return tr(template, layer=name, channel=position[0], row=position[1], column=position[2])
    return tr("{layer}: value {place}", layer=name, place=", ".join(map(str, position)))
