"""The account's section says what the engine computed, and one sentence where there is none."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.drawing.ranges import MINUS, number
from explorer.engine.account import Account, account
from explorer.engine.network_source import Source
from explorer.engine.prediction import prediction
from explorer.engine.samples import scene
from explorer.ui import cached
from explorer.ui.selection import Selection
from explorer.views.network.account import in_words, loss_in_words, minus_log, table, units

CHECKPOINTS = Path(__file__).parents[3] / "checkpoints"


@pytest.fixture
def selection() -> Selection:
    source = Source(CHECKPOINTS / "cifar10-course.safetensors")
    return Selection(cached.opened("cifar10-course", source), scene(3, 64))


@pytest.fixture
def made(selection: Selection) -> Account:
    return account(selection.net, selection.input.x, selection.target)


def test_the_sentence_adds_up(selection: Selection, made: Account) -> None:
    text = in_words(selection, made)
    assert "so the sum is exact" in text
    logit, maps, constant = [
        Decimal(found.replace(MINUS, "-")) for found in re.findall(rf"{MINUS}?\d+\.\d+", text)[:3]
    ]
    assert maps + constant == logit
    assert float(logit) == pytest.approx(float(selection.seen.logits[selection.target]), abs=0.01)


@pytest.mark.parametrize("residual", [0.0, 3e-8])
def test_rounding_is_no_bias(selection: Selection, made: Account, residual: float) -> None:
    logit = float(made.contributions.sum())
    none = replace(made, logit=logit, constant=-3e-7, residual=residual)
    text = in_words(selection, none)
    assert " 0 from the biases" in text
    assert "rounding (less than 0.0001)" in text
    assert "between" not in text


def test_an_approximation_is_called_one() -> None:
    source = Source(net="tests.engine.odd_networks:Tokens", classes="5", input_size=32)
    other = Selection(cached.opened("tokens", source), scene(3, 64))
    text = in_words(other, account(other.net, other.input.x, 1))
    assert "first-order approximation" in text
    assert "leaves over" in text


def test_units_are_value_times_weight(made: Account) -> None:
    html = units(made)
    assert "Hidden units of fc1" in html
    for value, weight, added in re.findall(r"([\d.]+) × (−?[\d.e−]+) = (−?[\d.e−]+)<", html):
        numbers = [float(one.replace(MINUS, "-")) for one in (value, weight, added)]
        assert numbers[0] * numbers[1] == pytest.approx(numbers[2], rel=0.01)


def test_sums_beside_one_another_have_equally_many_decimals(made: Account) -> None:
    sums = [added for _, _, added in re.findall(r"([\d.]+) × (−?[\d.e−]+) = (−?[\d.e−]+)<", units(made))]
    assert len(sums) > 1
    assert len({len(added.partition(".")[2]) for added in sums}) == 1


def test_the_loss_is_torchs(selection: Selection) -> None:
    logits = selection.seen.logits
    for label in (3, 5):
        loss = F.cross_entropy(torch.from_numpy(logits)[None], torch.tensor([label])).item()
        text = loss_in_words(selection, prediction(selection.net, logits, label))
        assert f"= {number(loss)}" in text
        assert selection.card.classes[label] in text
    assert "no label" in loss_in_words(selection, prediction(selection.net, logits))


def test_the_products_of_hidden_units_are_those_of_the_numbers_shown(made: Account) -> None:
    shown = re.findall(r"(−?[\d.]+) × (−?[\d.]+) ([=≈]) (−?[\d.]+)<", units(made))
    assert len(shown) == 6
    for first, second, sign, result in shown:
        one, other, product = (float(text.replace(MINUS, "-")) for text in (first, second, result))
        decimals = len(result.partition(".")[2])
        assert (round(one * other, decimals) == product) == (sign == "=")


@pytest.mark.parametrize(
    "logits",
    [
        [1.2, 0.81, 0.43, 0.2, -0.7, -3.1, 0, -1, -2, -4],
        [13.1, 1.64, -5.6, -10.3, -2.4, 0.5, 0, 0, 0, -20],
    ],
)
def test_the_numbers_of_the_table_follow_from_one_another(selection: Selection, logits: list[float]) -> None:
    made = prediction(selection.net, np.array(logits, np.float32))
    rows = re.findall(r"<td>(.*?)</td><td>(.*?)</td><td>(.*?)%</td>", table(selection, made))
    total = float(rows[-1][1])
    largest = float(rows[0][0])
    checked = [row for row in rows if row[0] and "&" not in row[1]]
    assert checked
    for z, power, percent in checked:
        digits = len(power.replace(".", "").lstrip("0"))
        assert f"{np.exp(float(z.replace(MINUS, '-')) - largest):.{digits}g}" == power
        share = f"{100 * float(power) / total:.1f}"
        assert percent == share or (percent == "&gt; 99.9" and share == "100.0") or percent == "&lt; 0.1"


@pytest.mark.parametrize("loss", [15.2, 2.302585, 0.369, 0.000119, 3e-7])
def test_minus_the_logarithm_of_the_probability_shown_is_the_loss_shown(loss: float) -> None:
    probability, shown = (float(text.replace(MINUS, "-")) for text in minus_log(loss))
    assert f"{-np.log(probability):.3g}" == f"{shown:.3g}" == f"{loss:.3g}"


def test_the_table_leaves_no_class_out(selection: Selection) -> None:
    html = table(selection, prediction(selection.net, selection.seen.logits, 8))
    for name in ("cat", selection.card.classes[8]):
        assert f'<th scope="row">{name}</th>' in html
    shares = [float(share) for share in re.findall(r"([\d.]+)%</td>", html)]
    assert sum(shares[:-1]) == pytest.approx(100, abs=0.3)
    assert np.isclose(shares[-1], 100)


def test_the_table_has_no_powers_of_ten(selection: Selection) -> None:
    logits = np.array([13.1, 1.64, -5.6, -10.3, -2.4, 0.5, 0, 0, 0, -20], np.float32)
    made = prediction(selection.net, logits)
    shown = table(selection, made)
    assert "&lt; 0.0001" in shown
    assert re.search(r"\de[−-]", shown) is None
