"""The shipped short runs of every optimizer with several schedulers, and what they are measured against."""

from dataclasses import dataclass
from pathlib import Path

from explorer.engine.descent import VARIANTS
from explorer.engine.intervals import interval
from explorer.engine.runs import ENDING, RecordedRun, read_run
from explorer.engine.values import Value

SCHEDULED = ("none", "step", "cosine", "plateau")
TEST_IMAGES, CLASSES = 1000, 10
RATES = {"sgd": 0.01, "momentum": 0.01, "rmsprop": 0.0001, "adam": 0.001, "adamw": 0.001}
"""The rate of each variant: the best of TRIED by the final test accuracy of a run without scheduler and with
another seed, on the same test images."""
TRIED = {
    "sgd": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "momentum": (0.003, 0.01, 0.03, 0.1),
    "rmsprop": (0.0001, 0.0003, 0.001, 0.003, 0.01),
    "adam": (0.0003, 0.001, 0.003, 0.01),
    "adamw": (0.0003, 0.001, 0.003, 0.01),
}
OTHER_SEED = {"sgd": 0.625, "momentum": 0.831, "rmsprop": 0.722, "adam": 0.868, "adamw": 0.87}
"""The final test accuracy of each variant at that rate, with that other seed and without scheduler."""


@dataclass(frozen=True, eq=False)
class OptimizerRun(Value):
    """One run: an optimizer of VARIANTS, a scheduler of SCHEDULED, and its history."""

    variant: str
    scheduler: str
    run: RecordedRun

    @property
    def accuracy(self) -> float:
        """Of the test images after the last epoch."""
        return self.run.epochs[-1].test_accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, of the accuracy: how far other test images might move it, not other seeds."""
        return interval(self.accuracy, TEST_IMAGES)


def read_runs(folder: Path) -> tuple[OptimizerRun, ...]:
    """The runs in a folder, by variant and scheduler; those that are not there are left out.

    Raises Problem for a file that is not a history.
    """
    paths = {
        (variant, scheduler): folder / f"{variant}-{scheduler}{ENDING}"
        for variant in VARIANTS
        for scheduler in SCHEDULED
    }
    read = [OptimizerRun(*key, read_run(path)) for key, path in paths.items() if path.is_file()]
    return tuple(each for each in read if each.run.epochs)
