"""How far a heat map can be trusted: each score beside what chance gives on the same image."""

from explorer.engine.scores.class_sensitivity import CLASS_SENSITIVITY
from explorer.engine.scores.deletion import DELETION
from explorer.engine.scores.ordering import ORDERING
from explorer.engine.scores.score import Score, Scored, Subject

__all__ = ["SCORES", "Score", "Scored", "Subject"]

SCORES: dict[str, Score] = {
    "deletion": DELETION,
    "ordering": ORDERING,
    "class_sensitivity": CLASS_SENSITIVITY,
}
