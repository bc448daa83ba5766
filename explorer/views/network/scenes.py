"""The steps of a strongest path as scenes to play: their pictures, their arithmetic, and what they say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from explorer.drawing import ranges
from explorer.drawing.pictures import data_uri, reduced
from explorer.engine.probe import ActStep, ConvStep, NormStep, PoolStep
from explorer.engine.strongest_path import (
    DenseStep,
    FlattenStep,
    MapStep,
    OperationStep,
    PathStep,
    PixelStep,
    Position,
    StrongestPath,
)
from explorer.ui.components.play import Grid, Row, Scene, Stop, Total
from explorer.ui.selection import Selection
from explorer.views.maps.later_steps import POOLINGS
from explorer.views.maps.matrix import fixed, product_sign
from explorer.views.network.class_scenes import dense, flatten, operation, prediction_scene
from explorer.views.network.names import chips, short
from explorer.views.network.scene_pieces import (
    THUMB,
    both,
    channel_name,
    channel_names,
    conv_input_names,
    equals,
    grid,
    in_brackets,
    index_of,
    map_picture,
    photo,
    row_column,
    shown,
    sweep,
    terms_of,
    text_of,
    thumb,
    window,
)
from model.words import N_, ngettext, tr

MOST_SCENES = 40  # of a path; of a longer one the middle is left out
SLIDES = N_(
    "A window of {height} × {width} positions slides over the {count} input channels of {layer}, all at "
    "once, and stops at row {row}, column {column}. Its values times the kernel of channel {channel} add up "
    "to one value of that channel."
)
SLIDES_OVER_PICTURE = N_(
    "A window of {height} × {width} pixels slides over the picture, over all {count} colors at once, and "
    "stops at row {row}, column {column}. Its values times the kernel of channel {channel} add up to one "
    "value of that channel."
)
LARGEST = N_(
    "Of each window of {size} positions only the largest value goes on. Here it is the one at row {row}, "
    "column {column}."
)
KEPT = N_(
    "ReLU cuts off what is negative: {percent} of the values here become zero. This one is positive and "
    "passes."
)
CUT = N_("ReLU cuts off what is negative: {percent} of the values here become zero, and so does this one.")
MEAN = N_(
    "The values of {size} positions become their mean. The path follows the strongest of them, at row {row}, "
    "column {column}."
)


def scenes(selection: Selection, path: StrongestPath) -> tuple[Scene, ...]:
    """A scene for each step from the picture to the class, at most MOST_SCENES of them."""
    steps = path.steps
    first = MOST_SCENES // 2
    cut = len(steps) - MOST_SCENES + 1
    called = chips(layer for step in steps if (layer := getattr(step, "layer", "")))
    whole = _with_neighbors(steps)
    parts = (whole, []) if cut <= 1 else (whole[:first], whole[first + cut :])
    begin, end = ([_told_apart(_scene(selection, *each), each[0], called) for each in part] for part in parts)
    return (*begin, *([] if cut <= 1 else [_left_out(steps[first : first + cut])]), *end)


def _told_apart(scene: Scene, step: PathStep, called: Mapping[str, str]) -> Scene:
    """The scene of a layer by a name that no other layer of the path has."""
    layer = getattr(step, "layer", "")
    return replace(scene, chip=called[layer]) if layer and scene.chip == short(layer) else scene


def _with_neighbors(steps: Sequence[PathStep]) -> list[tuple[PathStep, PathStep | None, PathStep | None]]:
    """Each step, with the one before it and the one after it."""
    return list(zip(steps, (None, *steps[:-1]), (*steps[1:], None), strict=True))


def _scene(selection: Selection, step: PathStep, before: PathStep | None, after: PathStep | None) -> Scene:
    if isinstance(step, MapStep):
        return _map_scene(selection, step)
    if isinstance(step, PixelStep):
        return _pixel(selection, step)
    if isinstance(step, DenseStep):
        return dense(selection, step, before, after)
    if isinstance(step, FlattenStep):
        return flatten(step)
    return operation(step) if isinstance(step, OperationStep) else prediction_scene(selection, step)


def _map_scene(selection: Selection, step: MapStep) -> Scene:
    arithmetic = step.arithmetic
    if isinstance(arithmetic, ConvStep):
        return _convolution(selection, step, arithmetic)
    if isinstance(arithmetic, NormStep):
        return _norm(step, arithmetic)
    if isinstance(arithmetic, PoolStep):
        return _pool(selection, step, arithmetic)
    return _activation(step, arithmetic)


def _left_out(steps: Sequence[PathStep]) -> Scene:
    layers = [layer for step in steps if (layer := getattr(step, "layer", ""))]
    sentence = ngettext(
        "{n} step is left out here, so that the whole path can be watched; it is of the same kinds.",
        "{n} steps are left out here, so that the whole path can be watched. They are of the same kinds, "
        "from {first} to {last}.",
        len(steps),
        first=layers[0] if layers else "",
        last=layers[-1] if layers else "",
    )
    return Scene(tr("Steps left out"), sentence, "…", sign="…")


# From the picture to the last maps


def _pixel(selection: Selection, step: PixelStep) -> Scene:
    size = {"height": len(selection.framed), "width": selection.framed.shape[1]}
    fields = {"row": step.position[-2], "column": step.position[-1], "class_name": selection.target_name}
    template = N_(
        "The network gets {height} × {width} pixels. Followed backward from “{class_name}”, the strongest "
        "evidence at every layer leads to row {row}, column {column}. From here it is followed forward."
    )
    color_name = channel_names(selection, [step.position[0]])[0]
    value = tr("{color}, normalized: {value}", color=color_name, value=fixed(step.value, 3))
    return Scene(
        tr("The picture"),
        tr(template, **size, **fields),
        tr("picture"),
        thumb=data_uri(reduced(selection.framed, THUMB)),
        left=photo(selection, value, (step.position[-2], step.position[-1], 1, 1)),
    )


def _convolution(selection: Selection, step: MapStep, conv: ConvStep) -> Scene:
    names, inner = conv_input_names(selection, step), conv.channels.index(step.origin[0])
    sums = conv.products.sum((1, 2))
    others = float(sums.sum() - sums[inner])
    terms = [(names[inner], float(sums[inner]), "chosen")]
    if len(sums) > 1:
        text = ngettext("{n:,} other input channel", "the {n:,} other input channels", len(sums) - 1)
        terms.append((text, others, ""))
    terms.append((tr("bias"), conv.bias, ""))
    height, width = conv.padding.shape
    template = SLIDES if step.source != "" else SLIDES_OVER_PICTURE
    sentence = tr(
        template, height=height, width=width, layer=step.layer, count=len(sums), channel=step.position[0],
        row=step.position[1], column=step.position[2],
    )  # fmt: skip
    frame = window(conv.rows, conv.columns)
    left = (
        photo(selection, names[inner], frame)
        if step.source == ""
        else map_picture(step.read, names[inner], frame)
    )
    right = map_picture(
        step.made, channel_name(step.position[0], step.layer), (*row_column(step.position), 1, 1)
    )
    return Scene(
        tr("Convolution · {layer}", layer=step.layer),
        sentence,
        short(step.layer),
        thumb=thumb(step.made),
        left=left,
        right=right,
        sweep=sweep(selection, step),
        grids=_product_grids(conv, step.origin, names[inner]),
        rows=terms_of(terms),
        total=Total(tr("value at this position"), equals(step.value)),
    )


def _product_grids(conv: ConvStep, origin: Position, name: str) -> tuple[Grid, ...]:
    """Window, kernel and products of the channel that is followed, each with the value that is."""
    inner = conv.channels.index(origin[0])
    patch, kernel, products = conv.patch[inner], conv.kernel[inner], conv.products[inner]
    at = index_of(conv.rows, origin[1]), index_of(conv.columns, origin[2])
    colors = ranges.shared(patch, signed=bool(patch.min() < 0))
    of_kernel, of_products = ranges.symmetric(kernel), ranges.symmetric(products)
    sign, outside = product_sign(patch, kernel, products, colors, of_kernel, of_products), conv.padding
    return (
        grid(patch, colors, tr("window"), name, outside=outside, chosen=at),
        grid(kernel, of_kernel, tr("kernel"), name, "×", chosen=at),
        grid(products, of_products, tr("products"), name, sign, outside=outside, chosen=at),
    )


def _norm(step: MapStep, norm: NormStep) -> Scene:
    centered, z, scaled = norm.before - norm.mean, norm.normalized, norm.normalized * norm.weight
    batch = "BatchNorm" in norm.kind
    template = N_(
        "Every position of channel {channel} is shifted and scaled in the same way: the mean is subtracted, "
        "the result divided by √(variance + {eps}), both running averages from training. Then it is "
        "multiplied by γ, and β is added; these are learned."
    )
    if not batch:
        template = N_(
            "Channel {channel} is shifted and scaled: the mean is subtracted, the result divided by "
            "√(variance + {eps}), both of this image. Then it is multiplied by γ, and β is added; these are "
            "learned."
        )
    return Scene(
        tr("{kind} · {layer}", kind=tr("BatchNorm") if batch else norm.kind, layer=step.layer),
        tr(template, channel=step.position[0], eps=ranges.in_full(norm.eps)),
        short(step.layer),
        thumb=thumb(step.made),
        **both(step),
        rows=_norm_rows(step, norm),
        stops=tuple(Stop(v, text_of(v)) for v in (norm.before, norm.before, centered, z, scaled, norm.value)),
        total=Total(tr("value at this position"), equals(norm.value)),
    )


def _norm_rows(step: MapStep, norm: NormStep) -> tuple[Row, ...]:
    """Each turn of the arithmetic with its result."""
    centered, z, scaled = norm.before - norm.mean, norm.normalized, norm.normalized * norm.weight
    spread = math.sqrt(norm.var + norm.eps)
    return (
        Row(
            tr("value of the convolution") if "conv" in str(step.source) else tr("value"),
            text_of(norm.before),
        ),
        Row(
            tr("− mean {mean}", mean=in_brackets(norm.mean)),
            equals(centered, shown(norm.before) - shown(norm.mean)),
        ),
        Row(
            tr("÷ standard deviation {spread}", spread=text_of(spread)),
            equals(z, shown(centered) / (shown(spread) or spread)),
        ),
        Row(tr("× γ {gamma}", gamma=in_brackets(norm.weight)), equals(scaled, shown(z) * shown(norm.weight))),
        Row(
            tr("+ β {beta}", beta=in_brackets(norm.bias)),
            equals(norm.value, shown(scaled) + shown(norm.bias)),
        ),
    )


def _activation(step: MapStep, act: ActStep) -> Scene:
    before, after = Stop(act.before, text_of(act.before)), Stop(act.value, text_of(act.value))
    scene = Scene(
        tr("{kind} · {layer}", kind=act.kind, layer=step.layer),
        _about_activation(step, act),
        short(step.layer),
        thumb=thumb(step.made),
        rows=(Row(tr("before"), text_of(act.before)), Row(tr("after"), equals(act.value))),
        stops=(before, before, after),
    )
    return scene if step.made.ndim == 1 else replace(scene, **both(step))


def _about_activation(step: MapStep, act: ActStep) -> str:
    if "Dropout" in act.kind:
        return tr(
            "In training, Dropout sets some values to zero by chance. When the network is used, as here, it "
            "passes every value on."
        )
    if act.kind == "ReLU":
        zeros = ranges.percent(float((step.made == 0).mean()), 0)
        return tr(KEPT if act.before > 0 else CUT, percent=zeros)
    if act.before == act.value:
        return tr("{kind} passes this value on as it is.", kind=act.kind)
    template = N_("{kind} turns {before} into {after}.")
    return tr(template, kind=act.kind, before=text_of(act.before), after=text_of(act.value))


def _pool(selection: Selection, step: MapStep, pool: PoolStep) -> Scene:
    over = pool.followed
    chosen = index_of(over.rows, step.origin[1]), index_of(over.columns, step.origin[2])
    colors = ranges.shared(over.values, signed=bool(np.nanmin(over.values) < 0))
    size = " × ".join(map(str, over.values.shape))
    template = MEAN if over.winner is None else LARGEST
    return Scene(
        tr(POOLINGS.get(pool.kind, N_("Pooling · {layer}")), layer=step.layer),
        tr(template, size=size, row=step.origin[1], column=step.origin[2]),
        short(step.layer),
        thumb=thumb(step.made),
        left=map_picture(step.read, tr("before"), window(over.rows, over.columns)),
        right=map_picture(
            step.made, tr("after {layer}", layer=step.layer), (*row_column(step.position), 1, 1)
        ),
        sweep=sweep(selection, step),
        grids=(grid(over.values, colors, tr("window"), step.layer, outside=over.padding, chosen=chosen),),
        rows=(Row(tr("largest value") if over.winner else tr("mean"), equals(step.value)),),
    )
