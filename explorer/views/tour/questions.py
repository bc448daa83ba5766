"""The question of each station: its numbers are those of the selected network and image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from explorer.drawing.ranges import before_and_after, percent, plain_number, plainly
from explorer.engine import runs, tour
from explorer.engine.scores import SCORES, reading
from explorer.ui import cached
from explorer.ui.selection import Selection
from explorer.views.attributions.measuring import random_nets_of
from model.problems import Problem
from model.words import N_, ngettext, paragraph, tr

SCENES = 20  # drawn scenes that are predicted to count errors
V = TypeVar("V", int, tuple[int, int])
PARTS = (N_("less than a third"), N_("between one and two thirds"), N_("more than two thirds"))


@dataclass(frozen=True)
class TourQuestion:
    """A question, what can be chosen, the index of the correct choice, and the answer, computed when asked.

    Without choices the answer is just shown.
    """

    text: str
    answer: Callable[[], str]
    choices: tuple[str, ...] = ()
    correct: int = 0


def weights(selection: Selection) -> TourQuestion:
    one = tour.first_maps(selection.net, selection.seen)
    channels, rows, columns = one.kernel
    text = tr("How many weights does the kernel of one map of {layer} have?", layer=one.layer)
    answer = tr(
        "{layer} gives {maps} maps of {height} × {width} positions. Each has its own kernel: {rows} × "
        "{columns} weights for each of {channels} channels that it reads, so {weights:,} weights.",
        layer=one.layer, maps=one.shape[0], height=one.shape[1], width=one.shape[2],
        rows=rows, columns=columns, channels=channels, weights=one.weights,
    )  # fmt: skip
    return _one_of(text, answer, one.weights, [rows * columns, one.shape[1] * one.shape[2]], "{:,}".format)


def positions(selection: Selection) -> TourQuestion:
    one = tour.shrinking(selection.net, selection.seen).last
    rows, columns = one.rows, one.columns
    text = tr(
        "{layer} reads {height} × {width} positions: kernel {kernel}, stride {stride}, padding {padding}. "
        "How many does it give?",
        layer=one.layer, height=rows.input, width=columns.input, kernel=f"{rows.kernel} × {columns.kernel}",
        stride=rows.stride, padding=rows.padding[0],
    )  # fmt: skip
    answer = tr("The arithmetic of {layer}: {formula}.", layer=one.layer, formula=one.formula)
    sizes = (rows.output, columns.output), (rows.input, columns.input)
    without_stride = (rows.input - rows.kernel + 1, columns.input - columns.kernel + 1)
    return _one_of(text, answer, sizes[0], [sizes[1], without_stride], _size)


def mean(selection: Selection) -> TourQuestion:
    layer = tour.first_norm(selection.net, selection.seen)
    one = tour.channel_mean(cached.norm_statistics(selection.network, selection.input, layer))
    text = tr(
        "In channel {channel} of {layer}, is the mean of this image above or below the running mean?",
        channel=one.channel,
        layer=one.layer,
    )
    above = N_(
        "Above: this image has {observed}, the running mean is {running}, so it is {distance} running "
        "standard deviations higher. With γ = {weight} and β = {bias} the mean after BatchNorm is {after}."
    )
    below = N_(
        "Below: this image has {observed}, the running mean is {running}, so it is {distance} running "
        "standard deviations lower. With γ = {weight} and β = {bias} the mean after BatchNorm is {after}."
    )
    values = {
        name: plain_number(getattr(one, name)) for name in ("observed", "running", "weight", "bias", "after")
    }
    answer = tr(above if one.distance > 0 else below, distance=plain_number(abs(one.distance)), **values)
    return TourQuestion(text, lambda: answer, (tr("Above"), tr("Below")), int(one.distance <= 0))


def fraction(selection: Selection) -> TourQuestion:
    one = tour.cut(selection.net, selection.seen, selection.input.x)
    text = tr(
        "How many of the values that {layer} reads for this image are negative and become 0?", layer=one.layer
    )
    answer = tr(
        "{percent}: {negative:,} of {values:,} values are negative.",
        percent=percent(one.fraction),
        negative=one.negative,
        values=one.values,
    )
    correct = int(one.fraction > 1 / 3) + int(one.fraction > 2 / 3)
    return TourQuestion(text, lambda: answer, tuple(tr(part) for part in PARTS), correct)


def pixels(selection: Selection) -> TourQuestion:
    layer = tour.explained_layer(selection.blocks, selection.seen)
    height, width = selection.input.x.shape[2:]
    fields = cached.receptive_fields(selection.network, selection.input)[layer]
    one = tour.sight(fields, (int(height), int(width)))
    row, column = one.position
    text = tr(
        "How many pixels of the input can change the value in row {row}, column {column} of {layer}?",
        row=row,
        column=column,
        layer=layer,
    )
    top, bottom, left, right = one.field.reach
    answer = tr(
        "{size} pixels: rows {top} to {bottom} and columns {left} to {right} of the input of {whole}.",
        size=_size(one.reach_size), top=top, bottom=bottom - 1, left=left, right=right - 1,
        whole=_size(one.size),
    )  # fmt: skip
    return _one_of(text, answer, one.reach_size, [(3, 3), one.size], _size)


def strongest(selection: Selection) -> TourQuestion:
    one = _carriers(selection)
    name, count = _name(selection), len(one.order)
    text = tr(
        "Which channel of {layer} contributes most to “{class_name}”?", layer=one.layer, class_name=name
    )
    parts = [
        tr("channel {channel} ({contribution})", channel=channel, contribution=plain_number(contribution))
        for channel, contribution in zip(one.first, one.contributions, strict=False)
    ]
    answer = tr(
        "The largest contributions of the {count} channels of {layer}, in units of the logit per position "
        "({size} positions): {channels}.",
        count=count,
        layer=one.layer,
        size=_size(one.size),
        channels=tr(", ").join(parts),
    )
    others = [one.order[count // 2], one.order[-1]]
    return _one_of(text, answer, one.order[0], others, lambda k: tr("Channel {channel}", channel=k))


def without(selection: Selection) -> TourQuestion:
    carriers = _carriers(selection)
    channel, name = carriers.order[0], _name(selection)
    text = tr(
        "Channel {channel} of {layer} contributes most to “{class_name}”. What happens to the logit of "
        "“{class_name}” if this channel is set to zero?",
        channel=channel,
        layer=carriers.layer,
        class_name=name,
    )
    off = cached.ablation_of(selection.network, selection.input, carriers.layer, channel)
    one = tour.removal(off, selection.predicted)
    correct = 2 if one.change == 0 else int(one.change > 0)
    choices = (tr("It falls"), tr("It rises"), tr("It does not change"))
    return TourQuestion(
        text, lambda: paragraph([_removed(selection, one), _not_the_contribution(carriers)]), choices, correct
    )


def _removed(selection: Selection, one: tour.ChannelRemoval) -> str:
    """What the logit is before and after, and what is predicted then."""
    classes = selection.class_names
    same = N_("The logit goes from {before} to {after} ({change}). The prediction stays “{class_name}”.")
    other = N_("The logit goes from {before} to {after} ({change}). The prediction becomes “{class_name}”.")
    before, after, change = before_and_after(one.before, one.after)
    return tr(
        same if one.predicted_after == one.predicted else other,
        before=plainly(before),
        after=plainly(after),
        change=plainly(change),
        class_name=classes[one.predicted_after],
    )


def _not_the_contribution(carriers: tour.Carriers) -> str:
    """What the change of the logit is, beside the contribution that the station before has shown."""
    return tr(
        "This is the effect of the whole map, in units of the logit. The channel’s contribution, "
        "{contribution}, is an estimate in units of the logit per position ({size} positions), so the two "
        "numbers cannot be compared.",
        contribution=plain_number(carriers.contributions[0]),
        size=_size(carriers.size),
    )


def alike(selection: Selection) -> TourQuestion:
    layer = _carriers(selection).layer
    text = tr(
        "Replace all weights of the network by random ones, three times. How similar are Grad-CAM’s heat "
        "maps of {layer} then to the one of this network?",
        layer=layer,
    )
    return TourQuestion(text, lambda: _correlation(selection, layer))


def _correlation(selection: Selection, layer: str) -> str:
    nets = random_nets_of(selection.network)
    one = tour.trust(selection.net, selection.input.x, layer, selection.predicted, nets)
    low, high = (plain_number(float(end)) for end in one.chance_band)
    verdict = reading(SCORES["randomized"], one)
    if verdict is None:
        return tr("All values of a map are equal, so there is no order to compare.")
    correlation = tr(
        "Their mean rank correlation is {value}; by chance it would be {low} to {high}.",
        value=plain_number(float(one.value)),
        low=low,
        high=high,
    )
    return paragraph([correlation, tr(verdict)])


def errors(selection: Selection) -> TourQuestion:
    text = ngettext(
        "How many of {n} drawn scene does this network predict wrongly?",
        "How many of the first {n} drawn scenes does this network predict wrongly?",
        SCENES,
    )
    return TourQuestion(text, lambda: _errors(selection))


def _errors(selection: Selection) -> str:
    card = selection.card
    scenes = [cached.numbered_scene(each, card.input_size, card.classes) for each in range(SCENES)]
    one = tour.drawn(selection.network, scenes)
    names = selection.class_names
    pairs = (f"{names[label]} → {names[predicted]}" for label, predicted in one.wrong)
    if not one.wrong:
        return tr(
            "None of {count}. Drawn scenes are easier than photos: look at the test set too.",
            count=len(one.labels),
        )
    return ngettext(
        "{n} of {count} (label → prediction): {pairs}.",
        "{n} of {count} (label → prediction): {pairs}.",
        len(one.wrong),
        count=len(one.labels),
        pairs=tr(", ").join(pairs),
    )


def epoch(selection: Selection) -> TourQuestion:
    path = selection.opened.source.path
    history = None if path is None else runs.history_of(path)
    if history is None or not history.is_file():
        raise Problem("There is no training history beside this checkpoint, so nothing can be read from it.")
    one = tour.learned(cached.run(runs.look_at(history)))
    text = ngettext(
        "The run had {n} epoch. After which epoch had the test accuracy reached half of its total increase?",
        "The run had {n} epochs. After which epoch had the test accuracy reached half of its total increase?",
        one.epochs,
    )
    answer = tr(
        "After epoch {half}: {at_half}. After the first epoch it was {first}, after the last one {last}.",
        half=one.half,
        at_half=percent(one.at_half),
        first=percent(one.first),
        last=percent(one.last),
    )
    return TourQuestion(text, lambda: answer)


def _carriers(selection: Selection) -> tour.Carriers:
    layer = tour.explained_layer(selection.blocks, selection.seen)
    evidence = selection.explaining(None).evidence(layer)
    if evidence is None:
        raise Problem("No gradient of a class reaches {layer}, so nothing is known of its part.", layer=layer)
    return tour.carriers(evidence)


def _name(selection: Selection) -> str:
    return selection.class_names[selection.predicted]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"


def _one_of(
    text: str, answer: str, correct: V, others: Sequence[V], name: Callable[[V], str]
) -> TourQuestion:
    """A question with the correct value among others, each once, from the smallest to the largest."""
    values = sorted({correct, *others})
    return TourQuestion(text, lambda: answer, tuple(map(name, values)), values.index(correct))
