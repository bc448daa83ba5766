"""Training: finished and running runs, from their histories; their checkpoints and commands."""

import time
from collections.abc import Mapping
from html import escape
from pathlib import Path

import streamlit as st

from explorer.drawing.chart import LineChart
from explorer.drawing.palette import SERIES
from explorer.drawing.ranges import percent
from explorer.engine import runs
from explorer.engine.runs import RecordedRun, Written
from explorer.ui import cached, choices, link, markup, panels
from explorer.ui.components.command_box import command_box
from explorer.ui.components.crosshair import crosshair
from explorer.ui.frame import presentation
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import Options, options
from explorer.views.training import charts, exports
from explorer.views.training.run_list import ChartSettings, LoadedRun, age, changed, read
from model import words
from model.names import short_path
from model.problems import Problem
from model.provenance import in_words
from model.words import N_, ngettext, paragraph, tr

LIVE = 2  # seconds between two looks at the files while a run on the page trains
IDLE = 5  # and while none does: a new run is noticed within that time
FRESH = 30.0  # seconds within which a run that trains has written, evaluation included
X_AXES = {"epochs": N_("Epochs"), "steps": N_("Steps"), "minutes": N_("Minutes")}
STATES = {
    "running": N_("training now"),
    "finished": N_("finished"),
    "stopped": N_("stopped; continue it with --resume"),
    "stalled": N_("interrupted or stalled: nothing written recently"),
}
METRICS = {
    "train_loss": N_("training loss"),
    "train_accuracy": N_("training accuracy"),
    "test_loss": N_("test loss"),
    "test_accuracy": N_("test accuracy"),
    "flip_accuracy": N_("test accuracy, averaged with mirrored images"),
}


def page() -> None:
    st.header(tr("Training runs"), anchor=False)
    try:
        given = options()
    except Problem as problem:
        st.error(sentence(problem), icon=":material/error:")
        return
    histories = runs.find_runs(given.run_folders)
    if given.runs is not None and not given.runs.is_dir():
        say_no_folder(given.runs)
    if not histories:
        say_how_to_start()
    chosen = choose_runs(histories) if histories else {}
    loaded = read(chosen)
    if len(loaded) < len(chosen):
        offer_read_again()
    follow(given, histories, chosen, loaded)
    if loaded:
        drawn = pictures(loaded)
        cards(loaded)
        if drawn is not None:
            exports.show(loaded, *drawn)


def say_no_folder(folder: Path) -> None:
    text = tr(
        "There is no folder {folder} (--runs); once there is, its runs appear here.",
        folder=short_path(folder),
    )
    st.warning(literal(text), icon=":material/folder_off:")


def say_how_to_start() -> None:
    st.info(
        tr(
            "There is no training run yet. Start one with `python -m model.train`; it will appear here. "
            "For runs in another folder, start the explorer with `-- --runs DIR`."
        )
    )


def offer_read_again() -> None:
    """A button for a history that cannot be read, which the page does not look at by itself."""
    st.button(tr("Read again"), icon=":material/refresh:", key="look_again", type="tertiary")


# Which runs


def choose_runs(histories: dict[str, Path]) -> dict[str, Path]:
    """The runs to show in the same charts; at first that of the checkpoint chosen in the sidebar."""
    own = opened_run(histories)
    if own is None:
        own = latest(histories)
        st.caption(
            tr(
                "There is no training history beside the selected checkpoint. "
                "The most recently written run when you opened the page: {run}.",
                run=literal(own),
            )
        )
    names = [own, *(name for name in histories if name != own)]
    another = st.session_state.get("_runs_of", own) != own
    if another and not link.came_back():  # another checkpoint was chosen: its run is shown
        link.change_several("runs", [own])
    st.session_state["_runs_of"] = own
    most = charts.MOST_RUNS
    label = tr("Runs (at most {count})", count=most)
    chosen = link.several(st.multiselect, label, names, "runs", [own], max_selections=most)
    return {name: histories[name] for name in chosen[:most]}


def opened_run(histories: dict[str, Path]) -> str | None:
    """The run of the checkpoint in the sidebar; None where it has none."""
    sources = options().checkpoints
    source = sources.get(link.value("checkpoint", next(iter(sources), "")))
    if source is not None and source.path is not None:
        wanted = runs.history_of(source.path)
        for name, path in histories.items():
            if path == wanted:
                return name
    return None


def latest(histories: dict[str, Path]) -> str:
    """The run that was written last when this visit began: one that starts later changes no choice."""
    name = st.session_state.get("_runs_latest")
    if name not in histories:
        name = max(histories, key=lambda each: modified(histories[each]))
    st.session_state["_runs_latest"] = name
    return str(name)


def modified(path: Path) -> int:
    try:
        return runs.look_at(path).modified
    except Problem:
        return 0


def offer_active_runs(histories: dict[str, Path], chosen: Mapping[str, Path]) -> None:
    """A button for each run that is training and not shown."""
    for name, path in histories.items():
        if name not in chosen and is_active(path):
            label = tr("Show {run}, which is training now", run=literal(name))
            icon, key = ":material/play_circle:", f"follow_{name}"
            if st.button(label, icon=icon, key=key, on_click=show_alone, args=(name,)):
                st.rerun()  # the button is in a fragment, and the choice is not


def show_alone(name: str) -> None:
    link.change_several("runs", [name])


def is_active(path: Path) -> bool:
    """Whether a run is training: its file is fresh, and does not say that it has ended."""
    try:
        file = runs.look_at(path)
        return age(file.modified) < FRESH and cached.run(file).about.state == "running"
    except Problem:
        return False


# Their state


def follow(
    given: Options, histories: dict[str, Path], chosen: dict[str, Path], loaded: dict[str, LoadedRun]
) -> None:
    """Active runs that are not shown, and the table of those shown, kept up to date by themselves."""
    live = any(each.state == "running" for each in loaded.values())
    look_every = st.fragment(look, run_every=LIVE if live else IDLE)
    look_every(given, histories, chosen, loaded, live, time.monotonic())


def look(
    given: Options,
    histories: dict[str, Path],
    chosen: dict[str, Path],
    loaded: dict[str, LoadedRun],
    live: bool,
    drawn_at: float,
) -> None:
    """The whole page anew as soon as there is another run, or a file or a state has changed.

    But not while the page itself is being drawn, at `drawn_at` of the monotonic clock: a run that writes
    faster would interrupt it again and again, and Streamlit forgets the choices below where a page is
    interrupted.
    """
    words.use(link.language())
    due = time.monotonic() - drawn_at > LIVE / 2
    if due and (runs.find_runs(given.run_folders) != histories or any(map(changed, loaded.values()))):
        st.rerun()
    offer_active_runs(histories, chosen)
    if loaded:
        markup.show(table(loaded))
    if live:
        st.caption(last_update(loaded))


def last_update(loaded: dict[str, LoadedRun]) -> str:
    """How often the page looks at the files, and when a running run has last written."""
    newest = min(age(each.file.modified) for each in loaded.values() if each.state == "running")
    return tr("Updated every {period} seconds; last written {age} s ago.", period=LIVE, age=round(newest))


def table(loaded: dict[str, LoadedRun]) -> str:
    """A row for every run: its color in the charts, its state, its progress, its accuracies."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table_heads())
    rows = "".join(
        row(name, each, color) for (name, each), color in zip(loaded.items(), SERIES, strict=False)
    )
    return f'<div class="fx-runs"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def table_heads() -> tuple[str, ...]:
    return (tr("run"), tr("state"), tr("epochs"), tr("test accuracy"), tr("best"), tr("training time"))


def row(name: str, each: LoadedRun, color: str) -> str:
    run = each.run
    last, best = accuracies(each)
    minutes = tr("{minutes} min", minutes=f"{run.minutes[-1]:.1f}") if run.epochs else "–"
    texts = (tr(STATES[each.state]), epochs_done(each), last, best, minutes)
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return f'<tr><th scope="row"><i style="background:{color}"></i>{escape(name)}</th>{cells}</tr>'


def epochs_done(each: LoadedRun) -> str:
    """How many epochs are finished, of how many if known."""
    done = len(each.run.epochs)
    return tr("{done} of {total}", done=done, total=each.total) if each.total else str(done)


def accuracies(each: LoadedRun) -> tuple[str, str]:
    """The last epoch's test accuracy, and the best one with its epoch."""
    if each.best is None:
        return "–", "–"
    accuracy = percent(each.best.test_accuracy, 2)
    best = tr("{accuracy} (epoch {epoch})", accuracy=accuracy, epoch=each.best.epoch)
    return percent(each.run.epochs[-1].test_accuracy, 2), best


# The charts


def pictures(loaded: dict[str, LoadedRun]) -> tuple[ChartSettings, dict[str, LineChart]] | None:
    """How the runs are drawn, and the charts, which the downloads have too; None before the first step."""
    by_name = {name: each.run for name, each in loaded.items()}
    if not any(len(run.losses) for run in by_name.values()):
        st.info(tr("No training step has been recorded yet."))
        return None
    settings = choose_settings(by_name)
    drawn = charts.charts_of(by_name, settings)
    show_chart("steps", drawn["steps"])
    st.caption(charts.loss_caption(by_name, settings.window))
    if "accuracy" in drawn:
        epochs({name: chart for name, chart in drawn.items() if name != "steps"})
    crosshair(drawn, key="crosshair")
    how_to_read()
    return settings, drawn


def choose_settings(by_name: Mapping[str, RecordedRun]) -> ChartSettings:
    """The x-axis, and the smoothing where the runs are long enough for any."""
    fitting, default = charts.windows(by_name)
    link.follow_default("window", str(default))
    with st.container(horizontal=True):
        x_axes = {name: tr(title) for name, title in X_AXES.items()}
        x_axis = choices.choice(tr("x-axis"), x_axes, "along")
        if len(fitting) == 1:
            return ChartSettings(1, x_axis)
        label = tr("Smoothing: mean of the last … steps")
        options = [str(window) for window in fitting]
        window = link.choose(
            st.select_slider, label, options, "window", str(default), width=presentation.pixels(320)
        )
    return ChartSettings(int(window), x_axis)


def show_chart(name: str, chart: LineChart) -> None:
    """A chart where the crosshair finds it."""
    with st.container(key=f"crossed_{name}"):
        panels.chart(chart)


def epochs(drawn: Mapping[str, LineChart]) -> None:
    """The charts by epoch side by side, each with its title above it."""
    for (name, chart), column in zip(drawn.items(), st.columns(3, gap="medium"), strict=True):
        with column:
            st.markdown(f"**{chart.title}**")
            show_chart(name, chart)
    st.caption(epochs_caption(drawn["rate"]))


def epochs_caption(rate: LineChart) -> str:
    """What the charts by epoch show."""
    sentences = [
        tr("The learning rate is that of each epoch’s first step."),
        tr("Each chart has its own y-axis, shared by its runs."),
    ]
    if rate.y.log:
        sentences.insert(1, tr("Its axis is logarithmic: equal distances are equal factors."))
    return paragraph(sentences)


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "The loss of individual steps fluctuates, because every batch contains different images; the "
                "running mean shows the trend. Training metrics are computed on augmented images, with "
                "dropout active and while the weights are still changing, so they may be worse than the test "
                "metrics, which are computed without augmentation. The training loss contains the run’s "
                "label smoothing, the test loss does not: with a smoothing of 0.1 and 10 classes the "
                "training loss cannot fall below 0.50. If the test loss rises while the training loss falls, "
                "the network is overfitting. ReduceLROnPlateau lowers the learning rate when the test loss "
                "has not decreased for several epochs."
            )
        )


# The card


def cards(loaded: dict[str, LoadedRun]) -> None:
    """The checkpoint of one run, and the command that repeats it."""
    st.header(tr("Checkpoint and command"), anchor=False)
    names = list(loaded)
    name = names[0]
    if len(names) > 1:
        name = choices.pick(tr("Run"), {each: each for each in names}, "card_of", names[0], width=320)
    each = loaded[name]
    show_command(each)
    if each.written is not None:
        the_card(each, each.written)
    elif each.run.epochs:
        st.caption(tr("There is no readable checkpoint beside this history, so its card is not shown."))
    else:
        st.caption(tr("The card appears once the first epoch is over and the checkpoint is written."))


def show_command(each: LoadedRun) -> None:
    command, recorded = runs.command(each.run, each.written)
    if not command:
        return
    command_box(command)
    if recorded:
        st.caption(tr("Run this command in the project folder to repeat the run."))
    else:
        st.caption(
            tr(
                "Derived from the checkpoint’s card, which does not record the folder of the images: "
                "add `--data-dir` if it is not the default."
            )
        )


def the_card(each: LoadedRun, written: Written) -> None:
    card = written.card
    metrics = [(metric_name(name), metric_text(name, value)) for name, value in card.metrics.items()]
    left, middle, right = st.columns(3, gap="large")
    with left:
        markup.show(panels.facts(tr("Checkpoint"), checkpoint_facts(each, written)))
    with middle:
        markup.show(panels.facts(tr("Results"), metrics), panels.facts(tr("Input"), input_facts(written)))
    with right:
        heading = markup.text(tr("Data"), tag="h3")
        markup.show(markup.element("section", heading, markup.text(in_words(card.data), "muted")))
        if runs.has_snapshots(each.file.checkpoint):
            st.caption(
                tr("This run has snapshots: the page Time machine shows an image at each of their epochs.")
            )
    show_settings(written)


def checkpoint_facts(each: LoadedRun, written: Written) -> list[tuple[str, str]]:
    card = written.card
    return [
        (tr("checkpoint"), short_path(each.file.checkpoint)),
        (tr("digest"), written.digest[:12]),
        (tr("network"), card.net),
        (tr("recipe"), card.recipe or tr("unknown")),
        (tr("epoch"), str(card.epoch)),
        (tr("started"), started(each.run)),
        *((name, version) for name, version in card.versions.items()),
    ]


def input_facts(written: Written) -> list[tuple[str, str]]:
    card = written.card
    return [
        (tr("classes"), str(len(card.classes))),
        (tr("size"), tr("{size} × {size} pixels", size=card.input_size)),
        (tr("mean"), channel_values(card.mean)),
        (tr("standard deviation"), channel_values(card.std)),
    ]


def show_settings(written: Written) -> None:
    settings = [f"{name}: {value}" for name, value in written.card.config.items()]
    if not settings:
        return
    with st.expander(ngettext("{n} setting", "All {n} settings", len(settings))):
        third = -(-len(settings) // 3)
        for index, column in enumerate(st.columns(3, gap="large")):
            with column:
                # without a language: the highlighter's colors are too pale on the light page
                st.code(
                    "\n".join(settings[index * third : (index + 1) * third]), language=None, wrap_lines=True
                )


def started(run: RecordedRun) -> str:
    """When the run began, to the minute."""
    day, _, clock = run.about.started.partition("T")
    return tr("{day} {time} UTC", day=day, time=clock[:5]) if clock else tr("unknown")


def metric_name(name: str) -> str:
    """A metric of a card; one that this trainer does not write keeps its own name."""
    return tr(METRICS[name]) if name in METRICS else name.replace("_", " ")


def metric_text(name: str, value: float) -> str:
    return percent(value, 2) if "accuracy" in name else f"{value:.4f}"


def channel_values(values: tuple[float, ...]) -> str:
    return tr(", ").join(f"{value:.3f}" for value in values)


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
