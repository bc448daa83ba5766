"""A run's snapshots."""

from explorer.engine import timeline as timelines
from explorer.engine.batchnorm import NormSummary
from explorer.engine.network import Input
from explorer.engine.timeline import Course, SnapshotFile, Timeline
from explorer.engine.tracing import Floats
from explorer.ui.cached.keys import announced, data, resource
from explorer.ui.cached.networks import Opened
from model.checkpoint import Checkpoint
from model.words import N_


def timeline(opened: Opened) -> Timeline | None:
    """The networks of the snapshots beside a checkpoint, as they are now on disk; None without any.

    Raises Problem.
    """
    path = opened.source.path
    files = timelines.snapshots_of(path) if path is not None else ()
    return _timeline(files, opened.checkpoint) if files else None


@resource(max_entries=2)
@announced(N_("Opening the snapshots …"))
def _timeline(files: tuple[SnapshotFile, ...], last: Checkpoint) -> Timeline:
    return timelines.open_timeline(files, last)


@data(max_size="10MB")
def course(timeline: Timeline, input: Input) -> Course:
    return timelines.course_of(timeline, input.x)


@data(max_size="100MB")
def maps_over_time(timeline: Timeline, input: Input, layer: str) -> Floats:
    return timelines.maps_over_time(timeline, input.x, layer)


@data(max_size="20MB")
def heat_over_time(timeline: Timeline, input: Input, layer: str, target: int) -> Floats:
    return timelines.heat_over_time(timeline, input.x, layer, target)


@data(max_size="30MB")
def norms_over_time(timeline: Timeline, input: Input, layer: str) -> tuple[NormSummary, ...]:
    return timelines.norms_over_time(timeline, input.x, layer)


@data(max_size="20MB")
def filters_over_time(timeline: Timeline) -> tuple[str, Floats]:
    return timelines.filters_over_time(timeline)
