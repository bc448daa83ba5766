"""How far a heat map can be trusted: each score beside what chance gives on the same image."""

from explorer.engine.scores.class_sensitivity import CLASS_SENSITIVITY
from explorer.engine.scores.deletion import DELETION
from explorer.engine.scores.findings import FINDINGS
from explorer.engine.scores.ordering import ORDERING
from explorer.engine.scores.randomized import RANDOMIZED, random_nets
from explorer.engine.scores.redrawing import DISTRACTIBILITY, REDRAWING, TARGET_SENSITIVITY
from explorer.engine.scores.removal import REMOVALS
from explorer.engine.scores.score import Score, Scored, Subject, reading
from explorer.engine.scores.stability import STABILITY
from explorer.engine.scores.truth import INSIDE_OBJECT

__all__ = ["REMOVALS", "SCORES", "STRIP", "Score", "Scored", "Subject", "random_nets", "reading"]

SCORES: dict[str, Score] = {
    "deletion": DELETION,
    "ordering": ORDERING,
    "randomized": RANDOMIZED,
    "class_sensitivity": CLASS_SENSITIVITY,
    "stability": STABILITY,
    "inside_object": INSIDE_OBJECT,
    "redrawing": REDRAWING,
    "distractibility": DISTRACTIBILITY,
    "target_sensitivity": TARGET_SENSITIVITY,
    "findings": FINDINGS,
}
STRIP: dict[str, Score] = {name: score for name, score in SCORES.items() if score.in_strip}
"""What a trust strip shows: the others are no better than a coin on some network, see docs/scores.md."""
