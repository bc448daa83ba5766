"""The program that opens a sample again follows from the sample alone."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.engine.samples import Sample, folder_test_set, scene
from explorer.ui.exports import snippets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "test" / "cat" / "0.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(path)
    return tmp_path


def test_a_program_opens_what_the_sample_came_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the page's state: a copy of the sample is as good as the sample."""
    monkeypatch.setattr("sys.argv", ["app.py", "--data-dir", str(folder)])
    for sample in (scene(4), folder_test_set(folder).sample(0)):
        found = snippets.origin(pickle.loads(pickle.dumps(sample)))
        program = snippets.joined(["from pathlib import Path", *found.imports], [f"again = {found.sample}"])
        names: dict[str, object] = {}
        exec(program, names)
        assert names["again"] == sample
    own = snippets.origin(Sample("mine.png", np.zeros((8, 8, 3), np.uint8)))
    assert own.sample.startswith("decode(Path('mine.png')")
