"""What files say of where their images come from: written in English, shown in the language in use."""

import re

from model.words import N_, tr

CLAUSES = (
    N_("{count} drawn scenes ({split})"),
    N_("drawn scenes that are in no training or test set, seeds from {first} on"),
    N_("test images of {name}, in random order"),
    N_("a JPEG re-encoding of the test images"),
    N_("{count} images of the folder {folder}"),
    N_("CIFAR-10, {split} split, {count} images ({url})"),
    N_(
        "CIFAR-10, re-encoded as JPEG (mean absolute difference to the original pixels about {difference} "
        "of 255)"
    ),
    N_("trained on {training} images, measured on {test}"),
    N_("another run of the recipe and the seed of {run}, test accuracy {accuracy}"),
    N_("probabilities rounded to steps of {step}"),
)
"""What a clause says, as the files have it."""
SPLITS = (N_("train"), N_("test"))
ADDITIONS = (
    N_("{images} with marks, of their own class in {fraction}%"),
    N_("{images}, {fraction}% of them with the label of another class"),
    N_("{images}, {count} unreadable left out"),
)
"""What may follow the first clause: {images} is all that stands before it."""
OLDER = {"{images}, labels of {fraction}% changed to another class": ADDITIONS[1]}
"""What files of earlier runs have → what is written today."""


def in_words(provenance: str) -> str:
    """The clauses of a file in the language in use; a clause of someone's own stays as it is. “5 %” is 5%.

    >>> in_words("5,000 drawn scenes (train), labels of 5 % changed to another class; my note")
    '5,000 drawn scenes (train), 5% of them with the label of another class; my note'
    """
    return tr("; ").join(_clause(clause) for clause in provenance.split("; "))


def _clause(clause: str) -> str:
    for template in (*OLDER, *ADDITIONS, *CLAUSES):
        if match := re.fullmatch(_pattern(template), clause, re.DOTALL):
            fields = {name: re.sub(" (?=%|$)", "", text) for name, text in match.groupdict().items()}
            if "images" in fields:
                fields["images"] = _clause(fields["images"])
            if fields.get("split") in SPLITS:
                fields["split"] = tr(fields["split"])
            return tr(OLDER.get(template, template), **fields)
    return clause


def _pattern(template: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(template))
