"""The downloads of the BatchNorm page for a batch; its program is run as it is."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from explorer.engine import samples
from explorer.engine.batches import Batch, from_scenes, from_test_set
from explorer.engine.batchnorm import summary, with_batch_statistics
from explorer.engine.network_source import Source
from explorer.ui import cached
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.ui.selection import Selection
from explorer.views.batchnorm import batch_exports, charts
from explorer.views.batchnorm.charts import BatchNormCharts
from explorer.views.batchnorm.measured import LayerView, MeasuredImages
from tests import forks

ROOT = Path(__file__).parents[2]
CHANNEL = 4


@pytest.fixture(autouse=True)
def options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A test set of three noisy pictures, wider than high."""
    folder = tmp_path / "test" / "cat"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (32, 48, 3), np.uint8)).save(folder / f"{number}.png")
    monkeypatch.setattr("sys.argv", ["app.py", "--data-dir", str(tmp_path)])


@pytest.fixture
def selection() -> Selection:
    opened = cached.opened("course", Source(ROOT / "checkpoints" / "cifar10-course.safetensors"))
    return Selection(opened, samples.scene(3), "squash")


def offered(selection: Selection, batch: Batch, kind: str) -> Offer:
    measured = MeasuredImages(batch.input, kind, batch, 6)
    view = LayerView(summary(selection.net, batch.x, "bn2"), measured, "relu2", CHANNEL)
    drawn = BatchNormCharts(charts.all_channels(view), charts.histograms(view))
    return batch_exports.offer(selection, view, drawn)


@pytest.mark.parametrize("kind", ["scenes", "test"])
def test_the_program_prints_the_number_of_the_page(selection: Selection, tmp_path: Path, kind: str) -> None:
    test_set = samples.find_test_set(tmp_path)
    assert test_set is not None
    card = selection.card
    batch = from_scenes(6, card) if kind == "scenes" else from_test_set(test_set, 6, card, selection.fit)
    offer = offered(selection, batch, kind)
    ran = forks.run("-c", offer.snippet)
    assert float(ran.stdout) == pytest.approx(
        summary(selection.net, batch.x, "bn2").distance[CHANNEL], abs=1e-5
    )


def test_files_hold_what_the_page_shows(selection: Selection) -> None:
    torch.manual_seed(0)
    batch = from_scenes(6, selection.card)
    made = {name: make() for name, make in downloads.files(offered(selection, batch, "scenes")).items()}
    observed, both = summary(selection.net, batch.x, "bn2"), with_batch_statistics(selection.net, batch.x)
    table = pd.read_csv(io.BytesIO(made["batchnorm-6-scenes-bn2-statistics.csv"]))
    np.testing.assert_allclose(table["slope"], observed.slope, rtol=1e-6)
    predicted = pd.read_csv(io.BytesIO(made["batchnorm-6-scenes-bn2-predictions.csv"]))
    assert predicted["label"].tolist() == [selection.card.classes[label] for label in batch.labels]
    np.testing.assert_allclose(predicted["batch_probability"], both.batch.max(1), rtol=1e-6)
    arrays = np.load(io.BytesIO(made["batchnorm-6-scenes-bn2-arrays.npz"]))
    np.testing.assert_array_equal(arrays["counts"], observed.counts)
    assert (np.diff(arrays["edges"]) > 0).all()
    assert made["batchnorm-6-scenes-bn2-figure.pdf"].startswith(b"%PDF")
    assert Image.open(io.BytesIO(made["batchnorm-6-scenes-bn2-every-channel.png"])).width > 1000
