"""The parts of the BatchNorm page: without it, what is averaged, in training."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import nn
from torch.nn.functional import group_norm

from explorer.drawing.ranges import number
from explorer.engine.batches import from_scenes
from explorer.engine.batchnorm import summary
from explorer.engine.intervals import interval
from explorer.engine.samples import scene
from explorer.ui import lessons
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.views.batchnorm import without_it
from explorer.views.batchnorm.in_training import RUNS
from model import words
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]
COURSE = ROOT / "checkpoints" / "cifar10-course.safetensors"
CAT = 3
Open = Callable[..., AppTest]


@pytest.fixture
def page(visit: Open) -> Open:
    def opened(part: str, *options: str, **link: str) -> AppTest:
        at = visit("batchnorm", *options, norm_part=part, **link)
        assert not at.exception, at.exception[0].value
        assert not at.error, at.error[0].value
        assert at.query_params["norm_part"] == part
        return at

    return opened


def test_both_normalizations_are_named_in_one_language() -> None:
    """They are the row and the column of one diagram."""
    texts = ("BatchNorm", "LayerNorm", "BatchNorm and LayerNorm on the same batch")
    words.use("zh_CN")
    names = [words.tr(text) for text in texts]
    words.use(words.ENGLISH)
    assert [re.findall("[A-Za-z]+", name) for name in names] == [[], [], []]


def text(at: AppTest) -> str:
    pieces = [*at.main.markdown, *at.main.caption, *at.main.info, *at.main.subheader]
    return " ".join([piece.value for piece in pieces] + [piece.proto.body for piece in at.main.get("html")])


def specs(at: AppTest) -> list[dict]:
    return [json.loads(each.proto.spec) for each in at.main.get("vega_lite_chart")]


def cat_without(layers: tuple[str, ...]) -> torch.Tensor:
    """The cat's probabilities without some BatchNorm layers, by replacing the modules."""
    checkpoint = load_checkpoint(COURSE)
    net = checkpoint.build().eval()
    for layer in layers:
        net.set_submodule(layer, nn.Identity())
    with torch.no_grad():
        return net(checkpoint.card.to_input(scene(CAT).pixels)).softmax(1)[0]


def test_the_prediction_without_a_layer_and_without_all(page: Open) -> None:
    at = page("without", norm="bn2")
    classes, html = load_checkpoint(COURSE).card.classes, text(at)
    for layers in (("bn2",), ("bn1", "bn2", "bn3")):
        probabilities = cat_without(layers)
        best = int(probabilities.argmax())
        assert f"{probabilities[best]:.1%}" in html
        assert classes[best] in html
    assert "Without <strong>" not in html
    assert "Without **bn2** the prediction" in html
    assert "Without any of the 3 BatchNorm layers" in html


def test_the_three_stages_stand_on_one_axis_as_densities() -> None:
    checkpoint = load_checkpoint(COURSE)
    norm = summary(checkpoint.build(), checkpoint.card.to_input(scene(CAT).pixels), "bn1")
    for channel in (int(np.argmin(norm.weight)), 0):
        for stage in norm.stages(channel):
            x, y = without_it.density(norm, channel, stage)
            assert (np.diff(x) >= 0).all()
            assert (y[:-1] * np.diff(x)).sum() == pytest.approx(1, abs=1e-6)


def test_without_it_for_a_batch_counts_the_changes(page: Open) -> None:
    at = page("without", of="scenes", images="16", norm="bn3")
    checkpoint = load_checkpoint(COURSE)
    batch, net = from_scenes(16, checkpoint.card), checkpoint.build().eval()
    with torch.no_grad():
        before = net(batch.x).argmax(1)
        net.bn3 = nn.Identity()
        changes = int((before != net(batch.x).argmax(1)).sum())
    assert f"changes for **{changes}** of 16 images" in text(at)


def test_what_is_averaged_for_the_image_and_seven_scenes(page: Open) -> None:
    at = page("averaged", norm="bn2", channel="5")
    checkpoint = load_checkpoint(COURSE)
    image = checkpoint.card.to_input(scene(CAT).pixels)
    images = torch.cat([image, from_scenes(7, checkpoint.card).x])
    net = checkpoint.build().eval()
    with torch.no_grad():
        maps = net.conv2(net.pool1(net.relu1(net.bn1(net.conv1(images)))))
    html = text(at)
    assert "channel 5 over all 8 images and 256 positions" in html
    mean, std = float(maps[:, 5].mean()), float(maps[:, 5].std(correction=0))
    assert f"the mean {mean:.3g} and the standard deviation {std:.3g}".replace("-", "\N{MINUS SIGN}") in html
    layer = (maps[0].mean(), maps[0].std(correction=0))
    torch.testing.assert_close(
        (maps[0] - layer[0]) / layer[1], group_norm(maps[:1], 1)[0], rtol=1e-3, atol=1e-3
    )
    assert f"gives {float(layer[0]):.3g} and {float(layer[1]):.3g}".replace("-", "\N{MINUS SIGN}") in html
    assert len(re.findall(r'<td class="[^"]*batch', html)) == 8
    assert "This network: BatchNorm first (pool2)." in html


def test_a_network_that_pools_first_says_so(page: Open) -> None:
    at = page("averaged", checkpoint="cifar10-resnet9", norm="layer2.bn")
    assert "This network: Pooling first (layer2.pool)." in text(at)


def test_the_six_runs_are_those_of_the_files(page: Open) -> None:
    html = text(page("training"))
    assert "They are shown for every checkpoint: that of the sidebar is none of them." in html
    for name, (norm, rate) in RUNS.items():
        history = json.loads((lessons.FOLDER / f"{name}.history.json").read_text())
        words = history["about"]["command"].split()
        given = dict(pairwise(words))
        assert (given["--norm"], float(given["--lr"])) == (norm, rate)
        assert (given["--optimizer"], given["--momentum"], given["--scheduler"]) == ("sgd", "0.9", "none")
        last = history["epochs"][-1]
        assert len(history["epochs"]) == 20
        assert history["about"]["steps"] == 79  # 5,000 images in batches of 64
        low, high = interval(last["test_accuracy"], 1000)
        assert f"<td>{last['test_accuracy']:.1%}</td><td>{low:.1%} to {high:.1%}</td>" in html
        assert f"<td>{last['test_loss']:.3f}</td>" in html
    assert "arXiv:1805.11604" in html


@pytest.mark.parametrize("part", ["statistics", "without", "averaged", "training"])
def test_images_are_offered_where_they_change_what_is_shown(visit: Open, part: str) -> None:
    labels = {
        of: [box.label for box in (*at.main.segmented_control, *at.main.selectbox)]
        for of in ("image", "scenes")
        for at in [visit("batchnorm", norm_part=part, of=of)]
    }
    acts = part != "training"
    assert ("Statistics of" in labels["image"], "Statistics of" in labels["scenes"]) == (acts, acts)
    assert ("Images" in labels["scenes"]) == acts


def test_the_images_chosen_stay_chosen_while_they_are_not_offered(page: Open) -> None:
    at = page("training", of="scenes", images="16")
    assert "64 drawn scenes in eval mode" in text(at)
    at.session_state["norm_part"] = "statistics"
    at.run()
    assert "Observed on 16 drawn scenes." in text(at)


def test_the_drift_of_the_own_run_is_shown_where_there_are_snapshots(page: Open) -> None:
    at = page("training", checkpoint="cifar10-fast", norm="bn2")
    assert "has no snapshots" not in text(at)
    assert len(specs(at)) == 6
    values = [row for spec in specs(at)[2:4] for layer in spec["layer"] for row in layer["data"]["values"]]
    assert max(row["x"] for row in values) == 30


def test_missing_runs_are_one_sentence(page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lessons, "FOLDER", tmp_path)
    assert "The run batch is not in the folder" in text(page("training"))
    shutil.copy(ROOT / "checkpoints/lessons/batch.safetensors", tmp_path)  # without its snapshots
    assert "The run batch is not in the folder" in text(page("training"))


def test_a_network_without_batchnorm_has_the_runs(visit: Open) -> None:
    at = visit("batchnorm", "--checkpoint", str(ROOT / "checkpoints/lessons/none.safetensors"))
    assert not at.exception
    assert "This network has no BatchNorm" in text(at)
    assert "at two learning rates" in text(at)


# Downloads


def printed_by(program: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "snippet", "exec"), {"__name__": "__main__"})
    return printed.getvalue().strip()


@pytest.mark.parametrize("of", ["image", "scenes"])
@pytest.mark.parametrize("part", ["without", "averaged", "training"])
def test_each_part_has_a_download_of_its_own(
    opened: Callable[..., tuple[AppTest, Offer]], part: str, of: str
) -> None:
    link = {"norm_part": part, "of": of, "images": "16", "sample": "dog"}
    _, offer = opened("batchnorm", checkpoint="cifar10-course", **link)
    assert offer.printed.rstrip(".").split(" ")[-1] == number(float(printed_by(offer.snippet)))
    assert all(len(make()) for make in downloads.files(offer).values())
    assert all(text for _, text in offer.arrays().values())


def test_the_download_without_a_layer_has_both_predictions(
    opened: Callable[..., tuple[AppTest, Offer]],
) -> None:
    _, offer = opened("batchnorm", checkpoint="cifar10-course", norm_part="without", norm="bn2", lang="zh_CN")
    (table,) = (make() for make in offer.tables.values())
    for case, layers in (("nothing", ()), ("bn2", ("bn2",)), ("every BatchNorm", ("bn1", "bn2", "bn3"))):
        expected = cat_without(layers)
        rows = table[table["without"] == case]
        assert rows["class"].tolist()[CAT] == "cat"
        np.testing.assert_allclose(rows["probability"], expected, atol=1e-5)


def test_the_download_of_what_is_averaged_has_every_channel(
    opened: Callable[..., tuple[AppTest, Offer]],
) -> None:
    link = {"norm_part": "averaged", "of": "scenes", "images": "16"}
    _, offer = opened("batchnorm", checkpoint="cifar10-course", **link)
    checkpoint = load_checkpoint(COURSE)
    received: list[torch.Tensor] = []
    net = checkpoint.build().eval()
    net.bn1.register_forward_hook(lambda _, inputs, __: received.append(inputs[0].detach()))
    net(from_scenes(16, checkpoint.card).x[:8])
    values = received[0]
    averages, means = offer.tables["Averages"](), offer.tables["Means"]()
    np.testing.assert_allclose(averages["mean"], values.mean((0, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(means["layer_std"], values.std((1, 2, 3), correction=0), atol=1e-5)
    np.testing.assert_allclose(means["channel_3"], values[:, 3].mean((1, 2)), atol=1e-5)


def test_the_download_of_training_has_the_runs_and_the_drift_of_the_charts(
    opened: Callable[..., tuple[AppTest, Offer]],
) -> None:
    at, offer = opened("batchnorm", checkpoint="cifar10-course", norm_part="training")
    runs, drift = offer.tables["Runs"](), offer.tables["Drift"]()
    for name, (norm, rate) in RUNS.items():
        history = json.loads((lessons.FOLDER / f"{name}.history.json").read_text())
        own = runs[(runs["normalization"] == norm) & (runs["learning_rate"] == rate)]
        assert own["test_accuracy"].tolist() == [row["test_accuracy"] for row in history["epochs"]]
    assert set(drift["network"]) == {"cifar10-course, bn1", "two of the runs"}
    assert sum(map(len, offer.figure())) == len(at.main.get("vega_lite_chart"))
    for chart in offer.figure()[0]:  # what is dashed is said in the file, too
        assert chart.dashed == "learning rate 0.1"
