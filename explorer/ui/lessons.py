"""The small runs on drawn scenes that the pages for lessons show: their networks and their histories."""

from explorer.engine.network_source import Source
from explorer.engine.runs import RecordedRun, look_at
from explorer.ui import cached
from explorer.ui.cached import Opened
from explorer.ui.options import ROOT
from model.problems import Problem
from model.words import N_

FOLDER = ROOT / "checkpoints" / "lessons"
MISSING = N_(
    "The run {name} is not in the folder `checkpoints/lessons`: copy it there, or train it by its command in "
    "docs/training.md."
)
WHOLE_PAGE = N_("The checkpoint in the sidebar has no effect on this page.")


def network(name: str) -> Opened:
    """The network of a run by its name. Raises Problem where it is missing."""
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        raise Problem(MISSING, name=name)
    return cached.opened(name, Source(path))


def run(name: str) -> RecordedRun:
    """The history of a run by its name. Raises Problem where it is missing."""
    path = FOLDER / f"{name}.history.json"
    if not path.exists():
        raise Problem(MISSING, name=name)
    return cached.run(look_at(path))
