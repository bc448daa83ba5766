"""The page Attributions: every score of every map beside its chance, as the engine gives it."""

import io
import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from streamlit.testing.v1 import AppTest

from explorer.drawing import chart_print
from explorer.drawing.pictures import png
from explorer.drawing.ranges import Range, column, number
from explorer.engine.attribution import METHODS, Heatmap, attribute
from explorer.engine.attribution.baseline import BASELINES
from explorer.engine.redrawing import Redrawing
from explorer.engine.samples import scene
from explorer.engine.scores import SCORES, STRIP, Subject
from explorer.engine.scores.ordering import Orderings
from explorer.engine.scores.redrawing import PartTruth
from explorer.ui import choices
from explorer.ui.exports.downloads import Offer, files
from explorer.ui.jobs import JOBS
from explorer.views.attributions import cards, charts, redrawing, strip
from explorer.views.attributions.measuring import TimedMap
from explorer.views.explain import heat_maps
from model.checkpoint import load_checkpoint

CHECKPOINT = Path(__file__).parents[2] / "checkpoints" / "cifar10-course.safetensors"
CHEAP = {"methods": "grad_cam,input_x_gradient"}
Opened = Callable[..., tuple[AppTest, Offer]]


def text(at: AppTest) -> str:
    """The text of all html on the page."""
    return unescape(re.sub(r"<[^>]+>", "\n", " ".join(piece.proto.body for piece in at.get("html"))))


@pytest.fixture
def finished(opened: Opened) -> Callable[..., tuple[AppTest, Offer]]:
    """The page once everything is computed: putting its downloads together waits for that."""

    def at_page(*options: str, **link: str) -> tuple[AppTest, Offer]:
        at, offer = opened("attributions", *options, **(CHEAP | link))
        at.run()
        assert not at.exception
        return at, offer

    return at_page


def table(offer: Offer) -> pd.DataFrame:
    (name,) = (name for name in files(offer) if name.endswith("scores.csv"))
    return pd.read_csv(io.BytesIO(files(offer)[name]()))


def test_every_score_is_shown_and_equals_the_engines(finished: Opened) -> None:
    at, offer = finished()
    checkpoint = load_checkpoint(CHECKPOINT)
    net, x = checkpoint.build(), checkpoint.card.to_input(scene(3).pixels)
    rows, shown = table(offer), text(at)
    assert len(rows) == 2 * len(STRIP)
    for method, layer in [("grad_cam", "relu3"), ("input_x_gradient", None)]:
        heat = attribute(net, x, method, layer=layer, target=3)
        for name in ("deletion", "ordering", "findings"):
            expected = SCORES[name].measure(Subject(net, x, heat))
            (row,) = rows[(rows.method == method) & (rows.score == name)].itertuples()
            assert row.value == pytest.approx(expected.value, abs=1e-6)
            assert [row.chance_low, row.chance_high] == pytest.approx(expected.chance_band, abs=1e-6)
            value, low, high = column([float(expected.value), *expected.chance_band])
            assert f"\n{value}\n" in shown
            assert f"Chance {low} … {high}" in shown
    for score in STRIP.values():
        assert shown.count(f"\n{score.title}\n") == 2
        assert score.pitfall in shown
    assert shown.count("Chance: 8 draws; the band is where one more draw would lie") == 2
    assert "Chance: 200 draws; the band holds the middle 95%" in shown


def test_the_program_computes_what_it_says(finished: Opened) -> None:
    at, offer = finished(methods="integrated_gradients", baseline="black", integrated_gradients_steps="8")
    assert "BASELINES['black']" in offer.snippet
    assert "steps=8.0" in offer.snippet
    names: dict[str, object] = {}
    exec(offer.snippet, names)
    value = table(offer).set_index("score").value["deletion"]
    assert names["score"].value == pytest.approx(value)
    assert number(value) in offer.printed
    net, x, baseline = names["net"], names["x"], names["baseline"]
    with torch.no_grad():
        difference = float((net(x) - net(baseline))[0, 3])
    total = float(names["heat"].values.sum())
    assert table(offer).completeness_gap[0] == pytest.approx(total - difference, abs=1e-5)
    assert (
        f"The values add up to {number(total)}; the logit minus that of the baseline is {number(difference)}."
        in text(at)
    )


def test_baseline_and_settings_change_the_map(finished: Opened) -> None:
    heats = [
        finished(methods="integrated_gradients", integrated_gradients_steps=steps, baseline=baseline)[
            1
        ].arrays()["heat_integrated_gradients_input"][0]
        for steps, baseline in (("4", "mean"), ("4", "blurred"), ("6", "mean"))
    ]
    assert not np.array_equal(heats[0], heats[1])
    assert not np.array_equal(heats[0], heats[2])


def test_a_scene_has_its_known_truth(finished: Opened) -> None:
    shown = text(finished()[0])
    assert "The part with the most heat is" in shown
    assert "Not measured here" not in shown


def test_chance_is_explained_with_its_counts(finished: Opened) -> None:
    at = finished()[0]
    captions = " ".join(each.value for each in at.caption)
    assert "about 1 score in 20 lies outside by chance alone" in captions
    assert "in the wrong place, mirrored and shifted at random" in captions
    assert "spans 2 random orders and their reverses" in captions
    assert "mirrored and shifted at random 8 times" in captions
    assert "\nHeat at the border\n" in text(at)
    assert "Findings" not in text(at)


def test_the_printed_chart_names_every_curve_once() -> None:
    checkpoint = load_checkpoint(CHECKPOINT)
    net, x = checkpoint.build(), checkpoint.card.to_input(scene(3).pixels)
    heat = attribute(net, x, "grad_cam", layer="relu3", target=3)
    ordering = SCORES["ordering"].measure(Subject(net, x, heat))
    assert isinstance(ordering, Orderings)
    axes = Figure().subplots()
    chart_print.draw(charts.removal(ordering, "Grad-CAM", "cat"), axes)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["most first", "least first", "random order"]


def test_redrawing_says_what_it_is_and_gives_one_number_with_its_sign_in_both_places(
    finished: Opened,
) -> None:
    shown = text(finished()[0])
    assert "every other pixel is the same" in shown
    assert "no baseline, except that a background left out becomes plain gray" in shown
    assert "Some parts contain others" in shown
    drawn = Redrawing(
        label=0,
        seed=0,
        parts=("head", "tail", "legs", "object", "background"),
        picture=np.zeros((4, 4, 3), np.uint8),
        pictures=np.zeros((5, 4, 4, 3), np.uint8),
        masks=np.zeros((5, 4, 4), bool),
        logits=np.array([3, 0], np.float32),
        without=np.array([[1.14, 0], [3.5, 0], [3, 0], [0, 0], [2, 0]], np.float32),
    )
    effects = drawn.effects(0)
    pictures = "".join(redrawing.pictures(drawn, effects, "cat"))
    row = "".join(redrawing.cells("measured", effects[:3], redrawing.change))
    for change in ("−1.86", "+0.5", "0"):
        assert f"change: {change}<" in pictures
        assert f">{change}<" in row
    sides = [piece.split('"')[0] for piece in row.split('<i class="')[1:]]
    assert sides == ["for", "against", "for"]


def test_of_another_picture_it_is_said_what_cannot_be_measured(visit: Callable[..., AppTest]) -> None:
    at = visit("attributions", **CHEAP, source="upload")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    at.file_uploader[0].set_value([("mine.png", png(pixels), "image/png")]).run()
    while buttons(at) == ["Stop"]:
        at.run()
    shown = text(at)
    assert shown.count("Redrawing: ") == 1
    assert shown.count("\nSingle deletion\n") == 2


def test_methods_that_the_network_does_not_allow_are_listed_with_the_reason(finished: Opened) -> None:
    at, _ = finished(att_stage="conv")
    (fold,) = (each for each in at.expander if "not possible here" in each.label)
    assert "Grad-CAM++" in text(at)
    assert "choose a layer after a ReLU" in text(at)
    (box,) = at.multiselect
    assert "Grad-CAM++" not in box.options
    assert len(box.options) == len(METHODS) - int(fold.label.split()[0])


def test_a_stopped_strip_stands_still_and_can_go_on(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JOBS, "_threads", 0)  # nothing ever advances
    at = visit("attributions", methods="saliency", sample="frog")
    assert buttons(at) == ["Stop"]
    at = press(at, "Stop")
    assert buttons(at) == ["Continue"]
    assert f"0 of {1 + len(STRIP)} maps and scores are computed" in at.get("progress")[0].proto.text
    assert buttons(press(at, "Continue")) == ["Stop"]


def test_maps_of_one_position_are_not_chosen_at_first_and_get_no_verdict(
    finished: Opened,
) -> None:
    net = ("--net", "tests.engine.odd_networks:to_one_position", "--classes", "5", "--input-size", "32")
    shown = text(finished(*net, methods="grad_cam", att_block="2")[0])
    assert "Raw, 1 × 1" in shown
    assert "so it marks none, and no score says anything about it" in shown
    assert not any(score.title in shown for score in STRIP.values())
    assert "Not measured here" not in shown
    assert "nan" not in shown
    assert heat_maps.description(np.ones((1, 1)), Range(0, 1)).endswith(
        "this map marks no place in the image."
    )
    shapes = {"early": (8, 4, 4), "late": (8, 1, 1)}
    chosen = SimpleNamespace(seen=SimpleNamespace(shapes=shapes))
    assert choices.last_layer(chosen, ["early", "late"]) == "early"  # type: ignore[arg-type]
    assert choices.last_layer(chosen, ["late"]) == "late"  # type: ignore[arg-type]


def test_the_classic_scores_are_measured_once_they_are_wanted(visit: Callable[..., AppTest]) -> None:
    at = visit("attributions", methods="saliency")
    assert "The baseline decides" not in " ".join(each.value for each in at.markdown)
    at.session_state["classic_scores"] = True
    at.run()
    while "\n…\n" in text(at):
        at.run()
    assert not at.exception
    assert any("The baseline decides the winner" in each.value for each in at.markdown)
    for baseline in BASELINES.values():
        assert text(at).count(f"\n{baseline.title}\n") == 3


def buttons(at: AppTest) -> list[str]:
    assert not at.exception
    return [each.label for each in at.button if each.label in ("Stop", "Continue")]


def press(at: AppTest, label: str) -> AppTest:
    (button,) = (each for each in at.button if each.label == label)
    return button.click().run()


@pytest.mark.parametrize(("gap", "apart"), [(0.0031, "0.0031"), (-0.25, "0.25"), (1e-7, "less than 0.0001")])
def test_the_sum_the_difference_and_the_gap_agree_as_shown(gap: float, apart: str) -> None:
    heat = Heatmap("deep_lift", None, 3, np.full((4, 4), 7.1649 / 16, np.float32))
    (said,) = cards.sums(TimedMap(heat, 0.1, gap))
    found = re.search(r"add up to (\S+); .* baseline is (\S+)\. They differ by (.+)\.", said)
    assert found is not None
    total, difference, shown = found.groups()
    assert float(shown.split()[-1]) == pytest.approx(float(apart.split()[-1]), rel=0.4)
    assert shown.startswith("less than") == (gap < 1e-5 and gap > 0)
    if abs(gap) > 1e-5:
        assert Decimal(total) - Decimal(difference) == (1 if gap > 0 else -1) * Decimal(shown)


def test_the_strongest_part_stands_beside_the_map_in_the_wrong_place() -> None:
    truth = PartTruth(np.zeros(200), 0.5, 1.0, 0.2, 0.95)
    said = strip.strongest_part(truth)
    assert "the same is true of 95% of maps in the wrong place, and of 20% of parts chosen at random" in said
    other = strip.strongest_part(PartTruth(np.zeros(200), 0.5, 0.0, 0.2, 0.95))
    assert "the same is true of 5% of maps in the wrong place, and of 80% of parts chosen at random" in other
