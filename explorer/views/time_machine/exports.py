"""What the page «Time machine» gives away: the film's pictures, the answers, BatchNorm over the epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from explorer.drawing import figures, line_chart, ranges
from explorer.drawing.figures import Chart, Panel
from explorer.drawing.line_chart import Band, Line, Scale
from explorer.drawing.ranges import number
from explorer.drawing.run_charts import COLOURS
from explorer.drawing.vega import BAND, OTHER, QUIET
from explorer.engine.batchnorm import NormSummary
from explorer.engine.timeline import Course, Timeline
from explorer.ui import downloads, export_parts, films
from explorer.ui.downloads import Offer, Pictures, Tables
from explorer.ui.export_parts import Arrays, Floats
from explorer.ui.films import STATISTICS, Film
from explorer.ui.selection import Selection
from explorer.ui.snippets import path_text, program
from explorer.views.time_machine import charts

FEW = 6  # epochs in the figure for print
ENGINE = "from explorer.engine.timeline import course_of, open_timeline, snapshots_of"


@dataclass(frozen=True, eq=False)
class Fans:
    """A BatchNorm at every epoch, and the channel that is drawn strong."""

    norms: Sequence[NormSummary]
    channel: int


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows: the film, its epochs and the slider's place among them, each in words; the
    probabilities of the classes drawn, by name; with BatchNorm its fans.
    """

    film: Film
    timeline: Timeline
    course: Course
    place: int
    words: Sequence[str]
    answers: Mapping[str, Sequence[float]]
    fans: Fans | None = None

    @property
    def epochs(self) -> tuple[int, ...]:
        return self.course.epochs


def over_time(selection: Selection, shown: Shown) -> None:
    """One thing at every epoch, and what the network answered."""
    downloads.show(partial(offer, selection, shown))


def offer(selection: Selection, shown: Shown) -> Offer:
    share = shown.course.probabilities[shown.place, selection.target]
    said = number(share) if share < 0.9995 else f"{share:.7g}"  # never rounded to 1
    name, epoch = selection.card.classes[selection.target], shown.epochs[shown.place]
    return Offer(
        name=f"{shown.film.title} {selection.sample.name}",
        caption=caption(selection, shown),
        pictures=pictures(selection, shown),
        tables=tables(selection, shown),
        arrays=lambda: arrays(selection, shown),
        figure=lambda: figure(shown),
        snippet=answer_program(selection, epoch),
        printed=f"the probability of {name} at epoch {epoch}, {said}",
    )


def caption(selection: Selection, shown: Shown) -> str:
    of = shown.film.of
    said = export_parts.caption(
        selection,
        method=of.method,
        layer=of.layer,
        range=ranges.text(shown.film.ranges[shown.place], shown.film.scale),
    )
    epochs = ", ".join(str(epoch) for epoch in shown.epochs)
    return f"{said} · Snapshots of epochs {epochs} ({shown.timeline.digest[:12]})"


def answer_program(selection: Selection, epoch: int) -> str:
    path = selection.opened.source.path
    assert path is not None  # snapshots lie beside a file
    target = selection.target
    lines = [
        f"timeline = open_timeline(snapshots_of({path_text(path)}), checkpoint)",
        "course = course_of(timeline, x)",
        f"print(course.probabilities[course.epochs.index({epoch}), {target}])"
        f"  # {selection.card.classes[target]!r}",
    ]
    return program([selection], [ENGINE], lines)


# Pictures


def pictures(selection: Selection, shown: Shown) -> Pictures:
    """The slider's epoch first, then the others, the strip, and the charts."""
    film, places = shown.film, range(len(shown.epochs))
    order = [shown.place, *(place for place in places if place != shown.place)]
    found: Pictures = {f"epoch {shown.epochs[place]}": partial(film.large, place) for place in order}
    found["every epoch"] = partial(films.contact, film, shown.epochs)
    found["what it answered"] = partial(figures.picture, answers(shown))
    if shown.fans is not None:
        for statistic, (name, _, _) in STATISTICS.items():
            found[f"{name} over the epochs"] = partial(figures.picture, fan(shown, shown.fans, statistic))
    return found | export_parts.the_image(selection)


def answers(shown: Shown) -> Chart:
    """The probabilities over the epochs, the explained class first and strongest."""
    lines = [
        Line(shown.epochs, shares, tone, name, 1.8 if place == 0 else 1.0, points=True)
        for place, ((name, shares), tone) in enumerate(zip(shown.answers.items(), COLOURS, strict=False))
    ]
    y = Scale("probability", percent=True, low=0, high=1)
    return line_chart.chart(lines, _epochs(), y, "What it answered", marked=shown.epochs[shown.place])


def fan(shown: Shown, fans: Fans, statistic: str) -> Chart:
    """How a statistic of all channels moves: range, middle half and median, one channel on top."""
    name, of, _ = STATISTICS[statistic]
    values: Floats = np.stack([of(each) for each in fans.norms])
    least, low, median, high, most = charts.cuts(values)
    x = shown.epochs
    drawn: list[Line | Band] = [
        Band(x, least, most, QUIET, BAND),
        Band(x, low, high, QUIET, 2 * BAND),
        Line(x, median, QUIET, "median"),
        Line(x, values[:, fans.channel], OTHER, f"channel {fans.channel}", 1.8),
    ]
    met = charts.met(fans.norms, fans.channel).get(statistic)
    if met is not None:
        drawn.append(Line(x, met, OTHER, "this image", dashed=True))
    return line_chart.chart(drawn, _epochs(), Scale(name), name, marked=x[shown.place])


def _epochs() -> Scale:
    return Scale("epoch", whole=True)


def figure(shown: Shown) -> list[Panel]:
    """The film at a few epochs, the slider's among them."""
    film = shown.film
    return [
        Panel(film.large(place), shown.words[place], film.ranges[place], film.scale, not film.own)
        if film.bar
        else Panel(film.large(place), shown.words[place])
        for place in few(len(shown.epochs), shown.place)
    ]


def few(count: int, place: int) -> list[int]:
    """Up to FEW of the places 0 … count − 1: the ends, some between, and `place`, ascending.

    >>> few(3, 1), few(20, 4)
    ([0, 1, 2], [0, 4, 5, 10, 14, 19])
    """
    if count <= FEW:
        return list(range(count))
    spread = np.linspace(0, count - 1, FEW - 1).round().astype(int).tolist()
    return sorted({*spread, place})


# Tables and arrays


def tables(selection: Selection, shown: Shown) -> Tables:
    found: Tables = {
        "Epochs": lambda: by_epoch(selection, shown),
        "Probabilities": lambda: probabilities(selection, shown.course),
    }
    fans = shown.fans
    if fans is not None:
        found["BatchNorm"] = lambda: statistics(shown.epochs, fans.norms)
    return found


def by_epoch(selection: Selection, shown: Shown) -> pd.DataFrame:
    """One row an epoch: the answer, the class that is explained, and the ends of what the film shows."""
    shares, names = shown.course.probabilities, selection.card.classes
    values = shown.film.of.values.reshape(len(shown.epochs), -1)
    return pd.DataFrame(
        {
            "epoch": shown.epochs,
            "answer": [names[best] for best in shares.argmax(1)],
            "answer_probability": shares.max(1),
            "class": names[selection.target],
            "class_probability": shares[:, selection.target],
            "least": values.min(1),
            "largest": values.max(1),
        }
    )


def probabilities(selection: Selection, course: Course) -> pd.DataFrame:
    """One row an epoch and class."""
    count, classes = course.logits.shape
    return pd.DataFrame(
        {
            "epoch": np.repeat(course.epochs, classes),
            "class": list(selection.card.classes) * count,
            "logit": course.logits.ravel(),
            "probability": course.probabilities.ravel(),
        }
    )


def statistics(epochs: Sequence[int], norms: Sequence[NormSummary]) -> pd.DataFrame:
    """One row an epoch and channel: what was learned by then, and what this image brings."""
    names = ["running_mean", "running_var", "weight", "bias", "mean", "var", "distance"]
    each = [
        pd.DataFrame(
            {"epoch": epoch, "channel": np.arange(len(found.mean))}
            | {name: getattr(found, name) for name in names}
        )
        for epoch, found in zip(epochs, norms, strict=True)
    ]
    return pd.concat(each)


def arrays(selection: Selection, shown: Shown) -> Arrays:
    course, of = shown.course, shown.film.of
    held = export_parts.given(selection) | {
        "epochs": (np.array(course.epochs), "of the snapshots (epochs,); 0 is the untrained network"),
        "logits": (course.logits, "at every epoch (epochs, K)"),
        "probabilities": (course.probabilities, "softmax of the logits (epochs, K)"),
        "values": (of.values, of.said),
    }
    if shown.fans is not None:
        for name in ("running_mean", "running_var", "weight", "bias", "mean", "var"):
            values = np.stack([getattr(found, name) for found in shown.fans.norms])
            held[name] = (values, f"of each channel of {of.layer} at every epoch (epochs, C)")
    return held
