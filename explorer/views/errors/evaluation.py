"""A scan's predictions beside its labels, computed once for the whole page."""

from dataclasses import dataclass
from functools import cached_property

from explorer.engine import metrics
from explorer.engine.metrics import Accuracy, ClassScores, Predictions
from explorer.engine.scan.result import Scan
from explorer.engine.values import Integers
from explorer.ui import cached
from explorer.ui.cached import Opened
from explorer.ui.class_names import glossed_all


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A network over the images of a scan; `table` int64 (K, K) counts them by label and prediction,
    `undecided` int64 (K,) those of each class without a prediction.
    """

    opened: Opened
    scan: Scan
    predictions: Predictions
    table: Integers
    undecided: Integers

    @property
    def classes(self) -> tuple[str, ...]:
        return self.scan.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as the page writes them."""
        return glossed_all(self.classes)

    @cached_property
    def accuracy(self) -> Accuracy:
        return metrics.accuracy(self.table, self.undecided)

    @cached_property
    def scores(self) -> ClassScores:
        return metrics.class_scores(self.table, self.undecided)

    @property
    def mistakes(self) -> int:
        """How many labeled images are not predicted as their class."""
        return self.accuracy.n - self.accuracy.correct

    def rival(self, row: int) -> int | None:
        """The class to explain beside the prediction of an image: its label, where that is another."""
        return int(self.predictions.labels[row]) if self.predictions.wrong[row] else None


def evaluate(opened: Opened, scan: Scan) -> Evaluation:
    independent = opened.checkup.outputs.independent and not opened.checkup.outputs.single
    one = cached.predictions(scan.logits, scan.labels, independent)
    counted = (one.labels, one.predicted, len(scan.classes))
    return Evaluation(opened, scan, one, metrics.confusion(*counted), metrics.undecided(*counted))
