"""How `fast` was chosen: on images that no variant was trained on, and the table says what the log says."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import choices, readme
from model.datasets import Dataset


def test_the_table_of_choices_is_the_log() -> None:
    assert readme.text_of("benchmarks/choices.py") == choices.table()
    assert all(len(runs) >= 3 for runs in choices.rows().values())


def test_runs_of_another_length_stand_in_columns_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "LOG", tmp_path / "choices.log")
    for name, epochs, accuracies in (
        ("Dropout 0.25", 6, (0.7, 0.8)),
        ("Dropout 0.25", 30, (0.9,)),
        ("no Dropout", 30, (0.88,)),
    ):
        for seed, accuracy in enumerate(accuracies):
            choices.keep(name, epochs, seed, accuracy)
    lines = choices.table().splitlines()
    assert lines[0] == "| variant | 6 epochs | against the first | 30 epochs | against the first |"
    assert "| Dropout 0.25 | 75.00% ± 7.07 |  | 90.00% |  |" in lines
    assert "| no Dropout | – | – | 88.00% | −2.00 |" in lines
    assert "`--epochs 30 --variants 'Dropout 0.25' 'no Dropout'`" in lines[-1]


def test_choices_are_judged_on_images_that_were_not_trained_on() -> None:
    images = np.arange(20, dtype=np.uint8).repeat(3).reshape(20, 1, 1, 3)
    data = Dataset(
        "numbers", images, np.arange(20), tuple(map(str, range(20))), (0.0,) * 3, (1.0,) * 3, "counted"
    )
    some, rest = choices.halves(data)
    assert (len(some.labels), len(rest.labels)) == (18, 2)
    assert sorted([*some.labels, *rest.labels]) == list(range(20))
    assert (some.images[:, 0, 0, 0] == some.labels).all()
