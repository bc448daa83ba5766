"""Training: how runs went, or are going, from their histories; what made them, and how to do it again."""

import time
from collections.abc import Mapping
from html import escape
from pathlib import Path

import streamlit as st

from explorer.drawing import run_charts
from explorer.drawing.ranges import percent
from explorer.drawing.vega import Chart
from explorer.engine import runs
from explorer.engine.runs import Run, RunError, Written
from explorer.ui import cached, choices, link, markup
from explorer.ui.markdown import literal, sentence
from explorer.ui.options import Options, options
from explorer.ui.panels import facts
from explorer.views.training import exports
from explorer.views.training.exports import Drawn
from explorer.views.training.run_list import Shown, age, changed, read
from model.names import shown
from model.problems import Problem

LIVE = 2.0  # seconds between two looks at the files while a run that is shown trains
IDLE = 5.0  # and while none does: a new run is noticed within that time
FRESH = 30.0  # seconds within which a run that trains has written, measuring included
WINDOWS = ("1", "10", "25", "50", "100", "250", "500", "1000")
ALONG = {"steps": "Steps", "epochs": "Epochs", "minutes": "Minutes"}
STATES = {
    "running": "training now",
    "finished": "finished",
    "stopped": "stopped; --resume continues it",
    "silent": "interrupted: nothing written for a while",
}


def page() -> None:
    st.header("How training went", anchor=False)
    try:
        given = options()
    except Problem as error:
        st.error(sentence(error), icon=":material/error:")
        return
    found = runs.find_runs(given.run_folders)
    if not found:
        st.info(
            "There is no training run yet: start one with `python -m model.train`, and it appears here. "
            "Runs in another folder are found with `-- --runs DIR`."
        )
    chosen = choose_runs(found) if found else {}
    shown = read(chosen)
    if len(shown) < len(chosen):
        look_again()
    follow(given, found, chosen, shown)
    if shown:
        drawn = pictures(shown)
        cards(shown)
        if drawn is not None:
            exports.runs(shown, drawn)


def look_again() -> None:
    """A button for a history that cannot be read, which the page does not look at by itself."""
    st.button("Read again", icon=":material/refresh:", key="look_again", type="tertiary")


# Which runs


def choose_runs(found: dict[str, Path]) -> dict[str, Path]:
    """The runs to show over one another; at first that of the checkpoint chosen in the sidebar."""
    own = opened_run(found)
    if own is None:
        own = latest(found)
        st.caption(
            f"The chosen checkpoint has no history beside it; {literal(own)} was the run written last."
        )
    names = [own, *(name for name in found if name != own)]
    another = st.session_state.get("_runs_of", own) != own
    if another and not link.came_back():  # another checkpoint was chosen: its run is shown
        link.change("runs", own)
    st.session_state["_runs_of"] = own
    held = link.several(
        st.multiselect,
        f"Runs, up to {run_charts.MOST_RUNS} over one another",
        names,
        "runs",
        [own],
        max_selections=run_charts.MOST_RUNS,
    )
    return {name: found[name] for name in held[: run_charts.MOST_RUNS]}


def opened_run(found: dict[str, Path]) -> str | None:
    """The run of the checkpoint in the sidebar; None where it has none."""
    sources = options().checkpoints
    source = sources.get(link.held("checkpoint", next(iter(sources), "")))
    if source is not None and source.path is not None:
        wanted = runs.history_of(source.path)
        for name, path in found.items():
            if path == wanted:
                return name
    return None


def latest(found: dict[str, Path]) -> str:
    """The run that was written last when this visit began: one that starts later changes no choice."""
    held = st.session_state.get("_runs_latest")
    if held not in found:
        held = max(found, key=lambda name: modified(found[name]))
    st.session_state["_runs_latest"] = held
    return str(held)


def modified(path: Path) -> int:
    try:
        return runs.look_at(path).modified
    except RunError:
        return 0


def going_on(found: dict[str, Path], chosen: Mapping[str, Path]) -> None:
    """A button for each run that is training and not shown."""
    for name, path in found.items():
        if name not in chosen and goes_on(path):
            label = f"{literal(name)} is training now: show it"
            icon, key = ":material/play_circle:", f"follow_{name}"
            if st.button(label, icon=icon, key=key, on_click=show_alone, args=(name,)):
                st.rerun()  # the button is in a fragment, and the choice is not


def show_alone(name: str) -> None:
    link.change("runs", name)


def goes_on(path: Path) -> bool:
    """Whether a run is training: its file is fresh, and does not say that it has ended."""
    try:
        file = runs.look_at(path)
        return age(file.modified) < FRESH and cached.run(file).about.state == "running"
    except RunError:
        return False


# How it stands


def follow(given: Options, found: dict[str, Path], chosen: dict[str, Path], shown: dict[str, Shown]) -> None:
    """Runs that train and are not shown, and the table of those shown, kept up to date by themselves."""
    live = any(each.state == "running" for each in shown.values())
    look_every = st.fragment(look, run_every=LIVE if live else IDLE)
    look_every(given, found, chosen, shown, live, time.monotonic())


def look(
    given: Options,
    found: dict[str, Path],
    chosen: dict[str, Path],
    shown: dict[str, Shown],
    live: bool,
    drawn: float,
) -> None:
    """The whole page anew as soon as there is another run, or a file or a state has changed.

    But not while the page itself is being drawn, at `drawn` of the monotonic clock: a run that writes faster
    would interrupt it again and again, and Streamlit forgets the choices below where a page is interrupted.
    """
    due = time.monotonic() - drawn > LIVE / 2
    if due and (runs.find_runs(given.run_folders) != found or any(map(changed, shown.values()))):
        st.rerun()
    going_on(found, chosen)
    if shown:
        markup.show(table(shown))
    if live:
        newest = min(age(each.file.modified) for each in shown.values() if each.state == "running")
        st.caption(f"Updated every {LIVE:g} seconds; last written {newest:.0f} s ago.")


def table(shown: dict[str, Shown]) -> str:
    """A row for every run: its colour in the charts, how far it is, what it came to."""
    heads = "".join(
        f'<th scope="col">{head}</th>' for head in ("run", "", "epochs", "test accuracy", "best", "training")
    )
    rows = "".join(
        row(name, each, colour)
        for (name, each), colour in zip(shown.items(), run_charts.COLOURS, strict=False)
    )
    return f'<div class="fx-runs"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def row(name: str, each: Shown, colour: str) -> str:
    run, total = each.run, each.total
    last, best = accuracies(each)
    of = f"{len(run.epochs)} of {total}" if total else str(len(run.epochs))
    minutes = f"{run.minutes[-1]:.1f} min" if run.epochs else "–"
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in (STATES[each.state], of, last, best, minutes))
    return f'<tr><th scope="row"><i style="background:{colour}"></i>{escape(name)}</th>{cells}</tr>'


def accuracies(each: Shown) -> tuple[str, str]:
    """The last epoch's share of test images right, and the best one's with its number."""
    if each.best is None:
        return "–", "–"
    best = f"{percent(each.best.test_accuracy, 2)} (epoch {each.best.epoch})"
    return percent(each.run.epochs[-1].test_accuracy, 2), best


# The two pictures


def pictures(shown: dict[str, Shown]) -> Drawn | None:
    """The runs over one another, and how they are drawn; None before the first step."""
    found = {name: each.run for name, each in shown.items()}
    if not any(len(run.losses) for run in found.values()):
        st.info("No step has been made yet.")
        return None
    with st.container(horizontal=True):
        along = choices.choice("x-axis", ALONG, "along")
        window = int(
            link.choose(
                st.select_slider,
                "Smoothing: mean of the last … steps",
                list(WINDOWS),
                "window",
                "100",
                width=320,
            )
        )
    named = ", ".join(found)
    draw(run_charts.losses(found, window, along, f"Training loss of every step of {named}"))
    st.caption(loss_said(found, window))
    if any(run.epochs for run in found.values()):
        epochs(found, along, named)
    how_to_read()
    return Drawn(window, along)


def draw(chart: Chart) -> None:
    st.vega_lite_chart(chart, width="stretch")


def loss_said(found: dict[str, Run], window: int) -> str:
    """What the loss picture shows, with its window and how it was thinned."""
    most = run_charts.columns_each(len(found))
    longest = max(len(run.losses) for run in found.values())
    thinned = (
        f", drawn as the least and the largest of about {longest / most:.0f} steps at a time"
        if longest > most
        else ""
    )
    mean = "" if window == 1 else f" Strong: the mean of the last {window} steps (fewer at the start)."
    return f"Cross-entropy of the augmented batches. Faint: every step{thinned}.{mean}"


def epochs(found: dict[str, Run], along: str, named: str) -> None:
    accuracy, loss, rate = st.columns(3, gap="medium")
    with accuracy:
        st.markdown("**Accuracy**")
        draw(run_charts.by_epoch(found, run_charts.ACCURACY, along, f"Accuracy by epoch of {named}"))
    with loss:
        st.markdown("**Loss**")
        draw(run_charts.by_epoch(found, run_charts.LOSS, along, f"Loss by epoch of {named}"))
    with rate:
        st.markdown("**Learning rate**")
        draw(
            run_charts.by_epoch(
                found, run_charts.RATE, along, f"Learning rate by epoch of {named}", steps=True
            )
        )
    st.caption(
        "Solid: the test images. Dashed: training. The rate is that of each epoch's first step. "
        "Each picture has a scale of its own, the same for all runs in it."
    )


def how_to_read() -> None:
    with st.expander("How to read this"):
        st.markdown(
            "The loss of single steps jumps, since every batch holds other images; the mean shows where it "
            "is going. Training figures are taken of augmented images with Dropout on while the weights "
            "still change, so they may lie below those of the test images, which are shown as they are. If "
            "the test loss rises while the training loss falls, the network learns its training images by "
            "heart. A scheduler that waits (ReduceLROnPlateau) lowers the rate once the test loss has not "
            "fallen for some epochs."
        )


# The card


def cards(shown: dict[str, Shown]) -> None:
    """What made one run, and the command that does it again."""
    st.header("What made it", anchor=False)
    names = list(shown)
    name = names[0]
    if len(names) > 1:
        name = choices.pick("Run", {each: each for each in names}, "card_of", names[0], width=320)
    each = shown[name]
    said, own = runs.command(each.run, each.written)
    if said:
        st.code(said, language=None)  # the highlighter's colours are too pale on the light page
        st.caption(
            "Run in the project's folder, this makes the same run again."
            if own
            else "Read off the card, which does not hold where the images were: add `--data-dir`."
        )
    if each.written is None:
        st.caption("Its card is there once the first epoch is over and the checkpoint is written.")
        return
    the_card(each, each.written)


def the_card(each: Shown, written: Written) -> None:
    card = written.card
    about = [
        ("checkpoint", shown(each.file.checkpoint)),
        ("digest", written.digest[:12]),
        ("network", card.net),
        ("recipe", card.recipe or "unknown"),
        ("epoch", str(card.epoch)),
        ("started", started(each.run)),
        *((name, version) for name, version in card.versions.items()),
    ]
    figures = [(name.replace("_", " "), figure(name, value)) for name, value in card.metrics.items()]
    data = [
        ("classes", str(len(card.classes))),
        ("input", f"{card.input_size} × {card.input_size} pixels"),
        ("mean", colours(card.mean)),
        ("standard deviation", colours(card.std)),
    ]
    left, middle, right = st.columns(3, gap="large")
    with left:
        markup.show(facts("The checkpoint", about))
    with middle:
        markup.show(facts("What it came to", figures), facts("What it takes", data))
    with right:
        markup.show(markup.element("section", markup.text("Data", tag="h3"), markup.text(card.data, "muted")))
        if runs.has_snapshots(each.file.checkpoint):
            st.caption("It kept snapshots: the Time machine shows an image through all of them.")
    settings = [(name.replace("_", " "), str(value)) for name, value in card.config.items()]
    if settings:
        with st.expander(f"All {len(settings)} settings"):
            third = -(-len(settings) // 3)
            for place, column in enumerate(st.columns(3, gap="large")):
                with column:
                    markup.show(facts("", settings[place * third : (place + 1) * third]))


def started(run: Run) -> str:
    """When the run began, to the minute."""
    day, _, clock = run.about.started.partition("T")
    return f"{day} {clock[:5]} UTC" if clock else "unknown"


def figure(name: str, value: float) -> str:
    return percent(value, 2) if "accuracy" in name else f"{value:.4f}"


def colours(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
