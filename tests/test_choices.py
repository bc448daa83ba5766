"""How `fast` was chosen: on images that no variant was trained on, and README.md says what the log says."""

import numpy as np

from benchmarks import choices, readme
from model.datasets import Dataset


def test_the_table_of_choices_is_the_log() -> None:
    assert readme.told("benchmarks/choices.py") == choices.table()
    assert len(choices.rows()["fast"]) >= 3


def test_choices_are_judged_on_images_that_were_not_trained_on() -> None:
    images = np.arange(20, dtype=np.uint8).repeat(3).reshape(20, 1, 1, 3)
    data = Dataset(
        "numbers", images, np.arange(20), tuple(map(str, range(20))), (0.0,) * 3, (1.0,) * 3, "counted"
    )
    some, rest = choices.halves(data)
    assert (len(some.labels), len(rest.labels)) == (18, 2)
    assert sorted([*some.labels, *rest.labels]) == list(range(20))
    assert (some.images[:, 0, 0, 0] == some.labels).all()
