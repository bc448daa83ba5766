"""The time machine in each of its states, run without a browser."""

import io
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from torch import nn

from explorer.drawing.figures import bars
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import number, text
from explorer.engine import samples, timeline
from explorer.engine.tracing import trace
from explorer.ui.exports.downloads import Offer
from explorer.views.time_machine import films
from explorer.views.time_machine.exports import few_epochs
from explorer.views.time_machine.films import STATISTICS
from model.card import Card
from model.checkpoint import load_checkpoint, save_checkpoint
from model.nets import NETS
from model.pixels import whole
from model.snapshots import folder_of, list_snapshots, save_snapshot
from tests.components import component

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]
Take = Callable[..., tuple[AppTest, Offer]]
ARGUMENTS = {"widths": [4, 6, 8], "hidden": 8}
KINDS = ("cam", "maps", "filters", "norm")


@pytest.fixture
def app(visit: Open) -> Open:
    return partial(visit, "time_machine")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small course CNN's checkpoint of epoch 3 with snapshots of 0 to 3 beside it."""
    path = tmp_path / "mine.safetensors"
    for epoch in range(4):
        torch.manual_seed(epoch)
        net = NETS["course"](**ARGUMENTS)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                module.running_mean.normal_(0, 0.1 * epoch)
        card = Card(arguments=ARGUMENTS, epoch=epoch)
        save_snapshot(path, card, net.state_dict())
        save_checkpoint(path, card, net.state_dict())
    return path


def html(at: AppTest) -> str:
    """What the page writes as html, and the film's texts and picture."""
    film = film_data(at)
    texts = [line for frame in film.get("frames", ()) for line in (*frame["lines"][:1], frame["alt"])]
    own = texts[2 * film["index"] : 2 * film["index"] + 2] if film else []
    return " ".join([*(piece.proto.body for piece in at.get("html")), *own, *film.get("addresses", ())])


def film_data(at: AppTest) -> dict[str, Any]:
    """What the browser gets of the film; empty where there is none."""
    sent = [json.loads(each.proto.json or "{}") for each in at.main.get("bidi_component")]
    return next((each for each in sent if "addresses" in each), {})


def strip(at: AppTest) -> Any:
    """The snapshots to press."""
    return next(group for group in at.main.button_group if group.label == "Snapshots: choose an epoch")


def slider(at: AppTest) -> Any:
    """The slider over the epochs, whose key changes when its epoch is chosen elsewhere."""
    return next(each for each in at.select_slider if each.label.startswith("Epoch"))


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.main.get("vega_lite_chart")]


def check(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert at.header[0].value == "One image through training"
    return at


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shown_at_every_epoch(app: Open, checkpoint: Path, kind: str) -> None:
    at = check(app("--checkpoint", str(checkpoint), over_time=kind))
    text = html(at)
    labels = [label.rpartition(") ")[2] for label in strip(at).options]
    assert labels == [f"epoch {epoch}" for epoch in range(4)]
    assert "shared scale for all epochs" in text
    assert at.select_slider(key="epoch").options == ["0", "1", "2", "3"]
    assert at.select_slider(key="epoch").value == "3"
    at.select_slider(key="epoch").set_value("1").run()
    check(at)
    assert at.query_params["epoch"] == "1"
    assert strip(at).value == 1


def test_a_press_on_a_snapshot_chooses_its_epoch(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint)))
    assert strip(at).value == 3
    for epoch in (1, 0, 2):
        strip(at).set_value(epoch).run()
        check(at)
        assert slider(at).value == str(epoch)
        assert strip(at).value == epoch
        assert at.query_params["epoch"] == str(epoch)
        assert f"epoch {epoch}: " in html(at)


def test_probabilities_are_each_snapshots_own(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint), sample="horse", epoch="2"))
    marked, *layers = charts(at)[0]["layer"]
    assert marked["data"]["values"] == [{"x": 2}]
    rows = [row for layer in layers for row in layer["data"]["values"]]
    assert {row["x"] for row in rows} == {0, 1, 2, 3}
    assert "horse" in {row["name"] for row in rows}
    for epoch, path in list_snapshots(checkpoint):
        opened = load_checkpoint(path)
        probabilities = trace(opened.build(), opened.card.to_input(samples.scene(7).pixels)).probabilities
        for row in rows:
            if row["x"] == epoch:
                assert row["y"] == pytest.approx(
                    probabilities[opened.card.classes.index(row["name"])], rel=1e-4
                )
    assert all(layer["encoding"]["y"]["scale"]["domain"] == [0, 1] for layer in layers)


def test_the_scale_stays_when_the_slider_moves(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint), over_time="maps", stage="conv"))
    before = scale(at)
    at.select_slider(key="epoch").set_value("0").run()
    assert scale(at) == before


def scale(at: AppTest) -> str:
    return html(at).partition('<div class="fx-scale">')[2].partition("</div></div>")[0]


def test_a_layers_statistics_are_drawn_over_the_epochs(app: Open, checkpoint: Path) -> None:
    at = check(
        app("--checkpoint", str(checkpoint), over_time="norm", norm="bn2", channel="4", statistic="beta")
    )
    fans = charts(at)[1:]
    assert len(fans) == len(STATISTICS)
    whole, _, _, *lines = fans[0]["layer"]
    rows = [row for layer in lines for row in layer["data"]["values"]]
    for epoch, path in list_snapshots(checkpoint):
        mean = load_checkpoint(path).state["bn2.running_mean"].numpy()
        at_epoch = {row["name"]: row["y"] for row in rows if row["x"] == epoch}
        (ends,) = [row for row in whole["data"]["values"] if row["x"] == epoch]
        assert at_epoch["channel 4"] == pytest.approx(float(mean[4]), rel=1e-4, abs=1e-9)
        assert ends["low"] == pytest.approx(float(mean.min()), rel=1e-4, abs=1e-9)
        assert at_epoch["median"] == pytest.approx(float(np.median(mean)), rel=1e-4, abs=1e-9)
    at.number_input(key="time_channel").set_value(2).run()
    assert check(at).query_params["channel"] == "2"


def test_without_snapshots_it_says_how_to_make_them(app: Open, checkpoint: Path) -> None:
    for path in folder_of(checkpoint).iterdir():
        path.unlink()
    at = check(app("--checkpoint", str(checkpoint)))
    assert "mine.snapshots" in at.info[0].value
    assert component(at, "command")["text"].endswith("--snapshot-every 1")


def test_a_network_with_snapshots_is_opened_where_one_has_none(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint), checkpoint="scenes-course"))
    at.button(key="open_mine.safetensors").click().run()
    assert next(box for box in at.selectbox if box.label == "Checkpoint").value == "mine.safetensors"
    assert check(at).select_slider(key="epoch").options == ["0", "1", "2", "3"]
    assert "checkpoint" not in at.query_params  # the network given at start is the first


def test_one_snapshot_has_no_slider(app: Open, checkpoint: Path) -> None:
    for epoch in range(3):
        (folder_of(checkpoint) / f"epoch-{epoch:04}.safetensors").unlink()
    at = check(app("--checkpoint", str(checkpoint)))
    assert "only one snapshot" in " ".join(caption.value for caption in at.caption)
    assert not at.select_slider


def test_of_many_snapshots_some_are_shown_and_it_says_so(
    app: Open, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = load_checkpoint(checkpoint)
    for epoch in range(4, 40):
        save_snapshot(checkpoint, Card(arguments=ARGUMENTS, epoch=epoch), opened.state)
    monkeypatch.setattr(timeline, "MOST", 24)
    at = check(app("--checkpoint", str(checkpoint)))
    assert len(at.select_slider(key="epoch").options) == 24
    assert any("24 of the 40 snapshots" in caption.value for caption in at.caption)


def test_every_snapshot_is_shown_where_there_is_memory_for_all(app: Open, checkpoint: Path) -> None:
    opened = load_checkpoint(checkpoint)
    for epoch in range(4, 31):
        save_snapshot(checkpoint, Card(arguments=ARGUMENTS, epoch=epoch), opened.state)
    at = check(app("--checkpoint", str(checkpoint)))
    assert slider(at).options == [str(epoch) for epoch in range(31)]
    assert len(strip(at).options) == 31
    assert not any("evenly spaced" in caption.value for caption in at.caption)


# The film on the page


def test_the_header_has_the_prediction_of_the_chosen_epoch(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint), sample="horse"))
    for choose in ("3", "1", "0"):
        if slider(at).value != choose:
            slider(at).set_value(choose).run()
        opened = load_checkpoint(list_snapshots(checkpoint)[int(choose)][1])
        seen = trace(opened.build(), opened.card.to_input(samples.scene(7).pixels))
        best = int(seen.probabilities.argmax())
        states = re.findall(r'<div class="fx-of-picture" data-index="(\d)"( hidden)?>', html(check(at)))
        assert [int(index) for index, hidden in states if not hidden] == [int(choose)]
        assert len(states) == 4
        top = html(at).partition(f'data-index="{choose}">')[2].partition('class="fx-prediction"')[2]
        assert f"Prediction at epoch {choose}" in top
        assert top.partition('class="name">')[2].startswith(opened.card.classes[best])
        assert film_data(at)["frames"][int(choose)]["lines"][0].startswith(
            f"epoch {choose}: {opened.card.classes[best]}"
        )


def test_the_pictures_are_sent_once_the_film_is_played(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint)))
    film = film_data(at)
    assert [bool(address) for address in film["addresses"]] == [False, False, False, True]
    assert film["index"] == 3
    at.session_state["film"] = {"wanted": film["digest"]}
    at.session_state["_film_wanted"] = film["digest"]  # what the callback of the component keeps
    every = film_data(check(at.run()))
    assert all(address.startswith("data:image/png;base64,") for address in every["addresses"])
    assert len(set(every["addresses"])) == 4
    assert every["addresses"][3] == film["addresses"][3]
    assert sum(map(bool, film_data(check(at.run()))["addresses"])) == 1  # the browser has them


def test_another_film_has_another_digest(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint), over_time="maps"))
    first = film_data(at)["digest"]
    slider(at).set_value("1").run()
    assert film_data(check(at))["digest"] == first
    assert film_data(check(app("--checkpoint", str(checkpoint), over_time="cam")))["digest"] != first


def test_a_broken_snapshot_is_a_sentence_and_the_others_are_shown(app: Open, checkpoint: Path) -> None:
    broken = folder_of(checkpoint) / "epoch-0001.safetensors"
    broken.write_bytes(broken.read_bytes()[:-9])
    at = check(app("--checkpoint", str(checkpoint)))
    assert "epoch-0001.safetensors is cut off or damaged" in at.warning[0].value
    assert at.select_slider(key="epoch").options == ["0", "2", "3"]
    assert not any("evenly spaced" in caption.value for caption in at.caption)  # one is broken, none left out
    for path in folder_of(checkpoint).iterdir():
        path.write_bytes(b"broken")
    at = check(app("--checkpoint", str(checkpoint)))
    assert "No snapshot can be used" in at.warning[0].value


def test_new_snapshots_are_taken_up(app: Open, checkpoint: Path) -> None:
    at = check(app("--checkpoint", str(checkpoint)))
    opened = load_checkpoint(checkpoint)
    save_snapshot(checkpoint, Card(arguments=ARGUMENTS, epoch=4), opened.state)
    assert check(at.run()).select_slider(key="epoch").options == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("link", [{"over_time": "soul"}, {"epoch": "99"}, {"channel": "-4"}, {"norm": "<b>"}])
def test_a_link_with_nonsense_shows_the_default(app: Open, checkpoint: Path, link: dict[str, str]) -> None:
    check(app("--checkpoint", str(checkpoint), **link))


# The film itself


def test_a_film_is_drawn_on_one_range_whatever_the_epoch() -> None:
    values = np.stack([np.full((2, 4, 4), level, np.float32) for level in (0.0, 0.5, 1.0, 0.5)])
    film = films.maps(values, "relu1", 1)
    assert {(range.low, range.high) for range in film.ranges} == {(0.0, 1.0)}
    np.testing.assert_array_equal(film.large(1), film.large(3))
    np.testing.assert_array_equal(film.small(1), film.small(3))
    assert (film.small(1) != film.small(2)).any()


def test_a_heat_map_may_have_the_scale_of_its_epoch(app: Open, checkpoint: Path) -> None:
    pixels = np.full((8, 8, 3), 90, np.uint8)
    values = np.stack([np.linspace(0, level, 16, dtype=np.float32).reshape(4, 4) for level in (0.1, 0.5)])
    made = partial(films.heat, pixels, whole(8, 8), values, "relu1", "cat", False)
    locked, own = made(False), made(True)
    assert [range.high for range in locked.ranges] == [0.5, 0.5]
    assert [range.high for range in own.ranges] == [pytest.approx(0.1), 0.5]
    np.testing.assert_array_equal(own.large(0), own.large(1))
    assert (locked.large(0) != locked.large(1)).any()
    at = check(app("--checkpoint", str(checkpoint), over_time="cam", time_scale="own"))
    assert "separate scale for each epoch" in html(at)


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_the_animation_has_every_epoch(kind: str) -> None:
    values = np.random.default_rng(0).normal(size=(5, 4, 3, 3, 3)).astype(np.float32)
    film = films.filters(values, "conv1")
    texts = films.frame_texts(film, [f"epoch {n}" for n in range(5)])
    image = Image.open(io.BytesIO(films.animated(film, texts, kind)))
    assert image.n_frames == 5  # type: ignore[attr-defined]
    assert image.format == kind.upper()


# Downloads


@pytest.fixture
def take(opened: Take, checkpoint: Path) -> Take:
    """Open the time machine of a small network, and put together what it offers."""
    return partial(opened, "time_machine", "--checkpoint", str(checkpoint))


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_prints_the_share_at_the_sliders_epoch(
    take: Take, checkpoint: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    at, offer = take(over_time=kind, epoch="2", sample="horse", **{"class": "frog"})
    capsys.readouterr()
    exec(compile(offer.snippet, "snippet", "exec"), {"__name__": "__main__"})
    printed = float(capsys.readouterr().out)
    opened = load_checkpoint(list_snapshots(checkpoint)[2][1])
    probabilities = trace(opened.build(), opened.card.to_input(samples.scene(7).pixels)).probabilities
    frog = opened.card.classes.index("frog")
    assert printed == pytest.approx(probabilities[frog], abs=1e-6)
    assert f"frog {printed:.0%}" in html(at)
    assert offer.printed == f"It prints the probability of frog at epoch 2: {number(printed)}."


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_every_epochs_and_the_sliders_is_on_the_page(take: Take, kind: str) -> None:
    at, offer = take(over_time=kind, epoch="1")
    assert list(offer.pictures)[:5] == ["epoch 1", "epoch 0", "epoch 2", "epoch 3", "every epoch"]
    assert data_uri(offer.pictures["epoch 1"]()) in html(at)
    large = [offer.pictures[f"epoch {epoch}"]() for epoch in range(4)]
    assert all((large[0] != other).any() for other in large[1:])
    strip = offer.pictures["every epoch"]()
    assert strip.shape[1] >= 4 * large[0].shape[1] // 3  # four side by side


def test_tables_and_arrays_are_those_of_each_snapshot(take: Take, checkpoint: Path) -> None:
    _, offer = take(over_time="norm", norm="bn2", statistic="beta", channel="4")
    arrays, rows, norms = offer.arrays(), offer.tables["Probabilities"](), offer.tables["BatchNorm"]()
    assert arrays["epochs"][0].tolist() == [0, 1, 2, 3]
    assert arrays["values"][0].shape == (4, 6)
    for epoch, path in list_snapshots(checkpoint):
        opened = load_checkpoint(path)
        seen = trace(opened.build(), opened.card.to_input(samples.scene(3).pixels))
        own = rows[rows["epoch"] == epoch]
        np.testing.assert_allclose(own["probability"], seen.probabilities, atol=1e-6)
        np.testing.assert_allclose(arrays["logits"][0][epoch], seen.logits, atol=1e-5)
        of = norms[norms["epoch"] == epoch]
        np.testing.assert_allclose(of["running_mean"], opened.state["bn2.running_mean"], atol=1e-7)
        np.testing.assert_allclose(arrays["values"][0][epoch], opened.state["bn2.bias"], atol=1e-7)
        np.testing.assert_allclose(of["mean"], seen.maps["conv2"].mean((1, 2)), atol=1e-5)
    assert {f"{title} over the epochs" for title, _, _ in STATISTICS.values()} < set(offer.pictures)


def test_each_kinds_arrays_are_what_its_film_draws(take: Take, checkpoint: Path) -> None:
    opened = load_checkpoint(list_snapshots(checkpoint)[1][1])
    seen = trace(opened.build(), opened.card.to_input(samples.scene(3).pixels))
    _, offer = take(over_time="maps", block="2")
    np.testing.assert_allclose(offer.arrays()["values"][0][1], seen.maps["relu2"], atol=1e-6)
    _, offer = take(over_time="filters")
    np.testing.assert_allclose(offer.arrays()["values"][0][1], opened.state["conv1.weight"], atol=1e-7)
    _, offer = take()
    assert offer.arrays()["values"][0].shape == (4, 8, 8)
    rows = offer.tables["Epochs"]()
    np.testing.assert_allclose(rows["maximum"], offer.arrays()["values"][0].max((1, 2)))


def test_the_figure_has_one_scale_for_a_few_epochs(take: Take) -> None:
    _, offer = take(over_time="maps", epoch="2")
    panels = offer.figure()
    assert [panel.title.partition(":")[0] for panel in panels] == [f"epoch {n}" for n in range(4)]
    (bar,) = bars([panels])[0]
    assert (bar.first, bar.last, bar.scale) == (0, 3, "shared scale for all epochs and channels")
    assert f"Range {text(bar.range, bar.scale)}" in offer.caption
    assert "Snapshots of epochs 0, 1, 2, 3 (" in offer.caption


@pytest.mark.parametrize(("count", "place"), [(1, 0), (6, 2), (7, 3), (24, 1), (24, 23)])
def test_a_figures_epochs_have_the_ends_and_the_sliders(count: int, place: int) -> None:
    chosen = few_epochs(count, place)
    assert {0, place, count - 1} <= set(chosen)
    assert chosen == sorted(set(chosen))
    assert len(chosen) <= 6


def test_a_panorama_is_filmed_without_its_ends(take: Take, checkpoint: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "test" / "cat").mkdir(parents=True)
    Image.new("RGB", (400, 40), "teal").save(folder / "wide.png")
    _, offer = take("--checkpoint", str(checkpoint), source="test", index="0")
    assert {panel.pixels.shape[:2] for panel in offer.figure()} == {(40, 80)}  # type: ignore[union-attr]
