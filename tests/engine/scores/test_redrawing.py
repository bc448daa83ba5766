"""A map that is true of the parts scores 1, one in the wrong place as chance gives, and areas as areas."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine import scores
from explorer.engine.attribution import Heatmap, attribute
from explorer.engine.network import Network
from explorer.engine.redrawing import Redrawing, redraw
from explorer.engine.scores import SCORES, Subject
from explorer.engine.scores.ranks import moved
from explorer.engine.scores.redrawing import (
    SAME_MAPS,
    TwoMaps,
    distractibility,
    part_sums,
    redrawing,
    target_sensitivity,
)
from explorer.engine.scores.references import REFERENCES
from model import scenes
from model.card import Card

LABEL, SEED = scenes.CLASSES.index("cat"), 2
CARD = Card(classes=("a", "b"))


class Weighted(nn.Module):
    """Two logits, each the sum of the image times weights (2, 3, h, w): every gradient is known."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,kchw->nk", x, self.weights)


@cache
def blank() -> Redrawing:
    return redraw(Network(Weighted(torch.zeros(2, 3, 32, 32)), CARD, "blank"), LABEL, SEED, 64)


def reading(*names: str) -> tuple[nn.Module, Redrawing]:
    """A network whose logits read one named part each, where it is alone, and the scene redrawn for it."""
    weights = []
    for name in names:
        index = blank().parts.index(name)
        others = [other for other in blank().own_parts if other != index]
        alone = blank().masks[index] & ~blank().masks[others].any(0)
        pictures = CARD.to_inputs([blank().picture, blank().pictures[index]])
        weights.append(torch.sign(pictures[0] - pictures[1]) * torch.from_numpy(alone))
    net = Weighted(torch.stack(weights))
    return net, redraw(Network(net, CARD, str(names)), LABEL, SEED, 64)


def judged(net: nn.Module, drawn: Redrawing, values: np.ndarray, **known: object) -> Subject:
    heat = Heatmap("by hand", None, 0, np.asarray(values, np.float32))
    return Subject(net, CARD.to_input(drawn.picture), heat, redrawings=(drawn,), **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tail", "legs", "body"])
def test_a_network_that_reads_one_part_is_explained_by_its_gradient(name: str) -> None:
    net, drawn = reading(name, "ears")
    own = drawn.own_parts
    effects = dict(zip((drawn.parts[index] for index in own), drawn.effects(0)[own], strict=True))
    assert effects.pop(name) > 1
    assert set(effects.values()) == {0.0}
    saliency = attribute(net, CARD.to_input(drawn.picture), "saliency", target=0).values
    result = redrawing(judged(net, drawn, saliency))
    assert np.isclose(result.value, 1)
    assert result.above_chance > 0.6
    assert (result.strongest, result.strongest_chance) == (1, 1 / len(own))
    masks = torch.nn.functional.adaptive_avg_pool2d(
        torch.from_numpy(drawn.masks[own].astype(float)), saliency.shape
    ).numpy()
    sums = np.array([[(each * mask).sum() for mask in masks] for each in moved(saliency, 0)])
    largest = np.isclose(sums, sums.max(1, keepdims=True))
    at = [drawn.parts[index] for index in own].index(name)
    assert result.strongest_moved == pytest.approx((largest[:, at] / largest.sum(1)).mean(), abs=1e-6)
    elsewhere = redrawing(judged(net, drawn, drawn.masks[drawn.parts.index("eyes")].astype(float)))
    assert (elsewhere.value < 0, elsewhere.strongest) == (True, 0)


def test_the_correlation_is_that_of_the_ranks() -> None:
    net, drawn = reading("tail", "legs")
    own = drawn.own_parts
    falls = 0.1 * np.arange(len(drawn.parts), dtype=np.float32)[::-1, None]  # no two are equal
    drawn = replace(drawn, without=drawn.logits - falls**2)
    values = np.random.default_rng(3).standard_normal((8, 8))
    large = values.repeat(4, 0).repeat(4, 1)
    sums = [(large * mask).sum() / 16 for mask in drawn.masks[own]]
    assert np.allclose(part_sums(values, drawn.masks[own]), sums)
    ranks = [np.argsort(np.argsort(each)) for each in (sums, falls[own, 0])]
    assert np.isclose(redrawing(judged(net, drawn, values)).value, np.corrcoef(ranks)[0, 1])


def test_random_maps_score_as_chance() -> None:
    net, drawn = reading("tail", "legs")
    maps = np.random.default_rng(0).standard_normal((200, 8, 8))
    results = [redrawing(judged(net, drawn, values)).value for values in maps]
    assert abs(np.mean(results)) < 0.12


def test_a_map_of_equal_sums_ranks_nothing_and_a_constant_network_cannot_be_judged() -> None:
    net, drawn = reading("tail", "legs")
    assert redrawing(judged(net, drawn, np.zeros((8, 8)))).value == 0
    still = redrawing(judged(nn.Identity(), blank(), np.ones((8, 8))))
    assert np.isnan(still.value)


def test_a_map_on_what_matters_is_not_distracted() -> None:
    net, drawn = reading("tail", "body")
    x = CARD.to_input(drawn.picture)
    saliency = [attribute(net, x, "saliency", target=label).values for label in (0, 1)]
    masks = [drawn.masks[drawn.parts.index(name)] for name in ("background", "tail")]
    alone = (saliency[0] > 0) & ~masks[0]
    assert distractibility(judged(net, drawn, alone)).value == 1
    assert distractibility(judged(net, drawn, saliency[1])).value < 0.5
    assert distractibility(judged(net, drawn, np.zeros((8, 8)))).value == 0.5


def test_maps_of_the_right_class_are_told_from_those_of_the_other() -> None:
    net, drawn = reading("tail", "legs")
    x = CARD.to_input(drawn.picture)
    both = [attribute(net, x, "saliency", target=label).values for label in (0, 1)]

    def sensitivity(*order: int) -> TwoMaps:
        def explain(net: nn.Module, x: Tensor, classes: np.ndarray) -> Heatmap:
            return Heatmap("by hand", None, classes, both[order[int(classes[0])]][None])

        return target_sensitivity(judged(net, drawn, both[order[0]], explain=explain))

    maps = [sensitivity(0, 1), sensitivity(1, 0), sensitivity(0, 0)]
    assert [each.value for each in maps] == [1, 0, 0.5]
    assert [each.same for each in maps] == [False, False, True]
    said = [scores.reading(SCORES["target_sensitivity"], each) for each in maps]
    assert said[2] == SAME_MAPS
    assert SAME_MAPS not in said[:2]


@pytest.mark.parametrize("name", ["redrawing", "distractibility", "target_sensitivity"])
def test_without_a_drawn_scene_the_reason_is_said(name: str) -> None:
    net, drawn = reading("tail", "legs")
    subject = judged(net, drawn, np.ones((8, 8)))
    assert SCORES[name].unmet(subject) is None
    bare = Subject(net, subject.x, subject.heat)
    assert "choose a built-in scene" in str(SCORES[name].unmet(bare))
    with pytest.raises(ValueError, match="one redrawing per image"):
        SCORES[name].measure(bare)


def test_references_are_what_they_say() -> None:
    mask = blank().object_mask
    area = REFERENCES["area"].make((32, 32), mask, 0)
    own = blank().masks[blank().own_parts]
    assert np.allclose(part_sums(area, own), (own & mask).sum((1, 2)))
    centered = REFERENCES["gaussian"].make((32, 32), None, 0)
    assert np.allclose(centered, centered[::-1, ::-1])
    assert centered.max() == centered[15:17, 15:17].max()
    one, again, other = (REFERENCES["random"].make((8, 8), None, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    with pytest.raises(ValueError, match="needs a mask"):
        REFERENCES["area"].make((32, 32), None, 0)
