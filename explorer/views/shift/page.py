"""Shifted data: BatchNorm's running statistics beside those of many images, unshifted and shifted."""

from collections.abc import Sequence

import streamlit as st

from explorer.engine.norm_inputs import check_norms
from explorer.engine.shift_measuring import SeverityResult
from explorer.ui import jobs
from explorer.ui.jobs import JOBS, Progress
from explorer.ui.markdown import sentence
from explorer.ui.selection import Selection, current
from explorer.views.shift import accuracy_part, drift_part, exports, measuring, running_part, this_image
from explorer.views.shift.measuring import ShiftQuestion
from model.words import N_, tr

INTRODUCTION = N_(
    "In eval mode BatchNorm normalizes with the running statistics of training. When the data shifts, they "
    "may no longer fit. Here a shift is applied to every image, as the network gets it, or pictures of your "
    "own take their place. Accuracy is measured on one half of the images; the statistics are recomputed on "
    "the other half."
)


def page() -> None:
    selection = current()
    st.header(tr("Running statistics under a shift of the data"), anchor=False)
    check_norms(selection.net)
    st.markdown(tr(INTRODUCTION))
    question = measuring.choose(selection)
    if question is None:
        return
    this_image.show(selection, question)
    if not measuring.started(question):
        offer_start(question)
        return
    follow(selection, question)


def offer_start(question: ShiftQuestion) -> None:
    st.button(
        tr("Measure with {images}", images=question.images(question.wanted)),
        on_click=measuring.start,
        args=(True,),
    )


def follow(selection: Selection, question: ShiftQuestion) -> None:
    """The job as far as it is, and all of the page once it is finished."""
    work = question.work()
    (progress,) = JOBS.look(work)
    if not progress.finished:
        st.button(tr("Stop"), icon=":material/stop:", on_click=stop, args=(question,))
        jobs.show(lambda each: show_progress(question, each), work)
        return
    if progress.problem is not None:
        st.info(sentence(progress.problem))
        return
    show_steps(selection, question, progress.results)


def stop(question: ShiftQuestion) -> None:
    JOBS.stop(question.work())
    measuring.start(False)


def show_progress(question: ShiftQuestion, each: Sequence[Progress[SeverityResult]]) -> None:
    """How far the job is, and the accuracies so far."""
    (progress,) = each
    done = len(progress.results)
    text = tr("{done} of {steps} severities are measured.", done=done, steps=progress.steps)
    st.progress(done / progress.steps, text)
    if done and progress.results[0].running.n:
        st.markdown(accuracy_part.table(question, progress.results))


def show_steps(selection: Selection, question: ShiftQuestion, steps: Sequence[SeverityResult]) -> None:
    st.subheader(tr("How accuracy follows, and what recalibrating recovers"), anchor=False)
    accuracy_part.show(question, steps)
    st.subheader(tr("How far the statistics move"), anchor=False)
    look = drift_part.show(question, steps)
    st.subheader(tr("Running statistics and the unshifted images"), anchor=False)
    running_part.show(question, steps[0], look.layer)
    how_to_read()
    exports.show(selection, question, steps, look)


def how_to_read() -> None:
    with st.expander(tr("How to read this")):
        st.markdown(
            tr(
                "A shift that BatchNorm could undo, such as a change of brightness, moves the means of many "
                "channels, and recalibrating helps. A shift that takes information away, such as strong "
                "blur, also moves them, but no statistics bring back what the images no longer show. "
                "Recalibrated statistics come from fewer images than training saw, in small batches: on "
                "unshifted images they often cost accuracy, which the first row of the table shows. A moved "
                "channel need not be the cause of a wrong prediction: the page Interventions measures "
                "causes. Blur and pixelation are in pixels of the network’s input, so they are not equally "
                "strong for networks of other sizes. The standard deviation of a channel counts all "
                "positions; where a convolution pads its input, those at the border also read zeros, which "
                "stay as they are when the images change."
            )
        )


if __name__ == "__main__":  # Streamlit runs a page as a script
    page()
