"""The page Errors against counts made here, on a scan of a few drawn scenes."""

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.drawing import figures
from explorer.drawing.chart import doubles
from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import number
from explorer.engine.intervention import Change, altered
from explorer.engine.metrics import predictions
from explorer.engine.network import Network, network_of
from explorer.engine.scan import result
from explorer.engine.scan.images import drawn_scenes, scene_number
from explorer.engine.scan.result import Scan
from explorer.engine.scan.running import scan
from explorer.engine.tracing import trace
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from explorer.views.errors import calibration, charts, confused, failures, filters
from explorer.views.errors.evaluation import Evaluation
from explorer.views.errors.filters import Bounds, Filter
from model import words
from model.checkpoint import load_checkpoint
from model.words import ENGLISH, PSEUDO
from tests.components import click, component
from tests.ui.test_words import texts, untranslated

ROOT = Path(__file__).parents[2]
COUNT = 40
Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def network() -> Network:
    return network_of(load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors"))


@pytest.fixture(scope="module")
def scanned(network: Network, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, Path]:
    """A scan, and the folder that it is in."""
    folder = tmp_path_factory.mktemp("scans")
    scenes = scan(network, drawn_scenes(network.card, COUNT))
    result.save(scenes, folder / "scenes.safetensors")
    return scenes, folder


@pytest.fixture
def app(visit: Open, scanned: tuple[Scan, Path], patient: None) -> Open:
    """Open the page with a link."""

    def opened(**link: str) -> AppTest:
        at = visit("errors", "--scans", str(scanned[1]), checkpoint="cifar10-course", **link)
        assert not at.exception, at.exception[0].value
        return at

    return opened


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def test_the_matrix_and_the_accuracy_are_those_of_the_scan(app: Open, scanned: tuple[Scan, Path]) -> None:
    one, at = scanned[0], app()
    right = sum(one.predicted[row] == one.labels[row] for row in range(COUNT))
    assert f"Accuracy {right / COUNT:.2%} (95% interval" in html(at)
    assert f"n = {COUNT}): {COUNT - right} images are wrong." in html(at)
    assert "assigned to the images at random" in html(at)
    matrix = component(at, "confusion")
    pairs = list(zip(one.labels.tolist(), one.predicted.tolist(), strict=True))
    for row, cells in enumerate(matrix["cells"]):  # type: ignore[arg-type,var-annotated]
        for column, (text, tip, part) in enumerate(cells):
            count = pairs.count((row, column))
            assert text == (str(count) if count else "")
            assert part == pytest.approx(count / max(1, sum(label == row for label, _ in pairs)), abs=1e-4)
            assert f"{one.classes[row]} predicted as {one.classes[column]}: {count} image" in tip


def test_the_images_of_a_cell_come_by_confidence(app: Open, scanned: tuple[Scan, Path]) -> None:
    one = scanned[0]
    wrong = [row for row in range(COUNT) if one.predicted[row] != one.labels[row]]
    true, named = int(one.labels[wrong[0]]), int(one.predicted[wrong[0]])
    at = app(err_true=one.classes[true], err_predicted=one.classes[named])
    exponents = np.exp(one.logits - one.logits.max(1, keepdims=True))
    top = (exponents / exponents.sum(1, keepdims=True)).max(1)
    rows = [row for row in wrong if (one.labels[row], one.predicted[row]) == (true, named)]
    numbers = [picture["number"] for picture in component(at, "cell_images")["pictures"]]  # type: ignore[attr-defined]
    assert numbers == sorted(rows, key=lambda row: -top[row])[: confused.SHOWN]
    assert component(at, "confusion")["chosen"] == [true, named]


def test_below_each_image_stand_its_class_and_the_predicted_one(
    app: Open, scanned: tuple[Scan, Path]
) -> None:
    one = scanned[0]
    captions = {
        each["number"]: each["title"]
        for each in component(app(err_which="all", err_order="set"), "cell_images")["pictures"]
    }
    assert len(captions) == confused.SHOWN
    for row, caption in captions.items():
        true, named = one.classes[one.labels[row]], one.classes[one.predicted[row]]
        assert caption == (true if true == named else f"{true} → {named}")
    pictures = component(app(), "cell_images")["pictures"]
    assert all(
        each["text"].startswith(f"Image {scene_number(one.ids[each['number']])}: ") for each in pictures
    )
    chinese = component(app(lang="zh_CN"), "cell_images")["pictures"]
    row = chinese[0]["number"]
    true, named = one.classes[one.labels[row]], one.classes[one.predicted[row]]
    assert re.fullmatch(rf"{true} [一-鿿]+ → {named} [一-鿿]+", chinese[0]["title"])


def test_the_page_says_what_it_is_about_and_what_ece_is(app: Open) -> None:
    at = app(errors="calibration")
    assert at.markdown[0].value.startswith("A network’s predictions for a whole data set beside the labels")
    assert html(at).index("Expected calibration error (ECE):") < html(at).rindex("ECE")


def test_bins_whose_ends_differ_look_different() -> None:
    assert calibration.edges_in_words(doubles([0, 0.5, 1])) == ["0.0%", "50.0%", "100.0%"]
    assert calibration.edges_in_words(doubles([0.998, 0.9997, 1, 1])) == [
        "99.80%", "99.97%", "100.00%", "100.00%",
    ]  # fmt: skip


@pytest.mark.parametrize("binning", ["width", "count"])
def test_each_bin_says_how_many_images_it_has(app: Open, scanned: tuple[Scan, Path], binning: str) -> None:
    one, at = scanned[0], app(errors="calibration", err_bins=binning)
    exponents = np.exp(one.logits.astype(np.float64) - one.logits.max(1, keepdims=True))
    confidence = np.sort((exponents / exponents.sum(1, keepdims=True)).max(1))
    rows = re.findall(r"<tr>(.*?)</tr>", html(at))[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    counts = [int(row[1]) for row in cells]
    assert sum(counts) == COUNT
    start = 0
    for row, count in zip(cells, counts, strict=True):
        low, high = (float(each.strip("%")) / 100 for each in row[0].split(" to "))
        inside = confidence[start : start + count]
        assert low - 6e-4 <= inside[0]
        assert inside[-1] <= high + 6e-4
        assert low < high
        start += count
    said = " ".join(each.value for each in at.markdown)
    assert f"hold from {min(counts)} to {max(counts)} of them" in said


def test_failures_name_the_chosen_cell_and_clear_it(app: Open, scanned: tuple[Scan, Path]) -> None:
    one = scanned[0]
    wrong = [row for row in range(COUNT) if one.predicted[row] != one.labels[row]]
    true, named = int(one.labels[wrong[0]]), int(one.predicted[wrong[0]])
    count = sum((one.labels[row], one.predicted[row]) == (true, named) for row in wrong)
    at = app(errors="failures", err_true=one.classes[true], err_predicted=one.classes[named])
    said = f"**Only {one.classes[true]} predicted as {one.classes[named]}.**"
    assert said in [each.value for each in at.markdown]
    assert any(caption.value.endswith(f" of {count}") for caption in at.caption)
    at.button(key="err_clear").click().run()
    assert not at.exception
    assert said not in [each.value for each in at.markdown]
    assert any(caption.value.endswith(f" of {len(wrong)}") for caption in at.caption)
    assert "err_true" not in at.query_params
    assert not [each for each in at.button if each.key == "err_clear"]


def test_filters_leave_what_is_within_their_bounds() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(200, 3)).astype(np.float32), random.integers(-1, 3, 200)
    one = predictions(logits, labels)
    every = filters.rows(one, Filter(which="all"), "set")
    assert every.tolist() == list(range(200))
    for bounds in (Bounds(0.5), Bounds(None, 0.6), Bounds(0.4, 0.7)):
        rows = filters.rows(one, Filter(which="all", confidence=bounds), "unsure")
        inside = [row for row in range(200) if (bounds.low or 0) <= one.confidence[row] <= (bounds.high or 1)]
        assert rows.tolist() == sorted(inside, key=lambda row: one.confidence[row])
    lossy = filters.rows(one, Filter(which="all", loss=Bounds(1.0)), "loss")
    assert all(labels[row] >= 0 and one.loss[row] >= 1 for row in lossy)
    assert (np.diff(one.loss[lossy]) <= 0).all()
    only = filters.rows(one, Filter((1, 2), "wrong"), "entropy")
    assert only.tolist() == sorted(
        [row for row in range(200) if labels[row] == 1 and one.predicted[row] == 2],
        key=lambda row: -one.entropy[row],
    )
    assert not len(filters.rows(one, Filter((1, 1), "wrong"), "set"))


def test_of_many_classes_those_with_the_most_errors_are_shown() -> None:
    table = np.diag(np.full(40, 5))
    table[30, 3] = table[3, 35] = 4
    shown = confused.matrix_classes(table)
    assert len(shown) == confused.MOST_CLASSES
    assert {3, 30, 35} < set(shown)
    assert shown == sorted(shown)
    assert confused.matrix_classes(table[:24, :24]) == list(range(24))


def test_a_failure_names_the_channels_that_hold_its_lead(
    app: Open, network: Network, scanned: tuple[Scan, Path]
) -> None:
    at = app(errors="failures")
    one = scanned[0]
    rows = filters.rows(predictions(one.logits, one.labels), Filter(), "confident")
    assert html(at).count("fx-failure") >= min(len(rows), failures.SHOWN)
    row = int(rows[0])
    pixels = drawn_scenes(network.card).take(scene_number(int(one.ids[row]))).pixels
    x, named, true = network.card.to_input(pixels), int(one.predicted[row]), int(one.labels[row])

    def lead(*channels: int) -> float:
        net = altered(network.net, [Change("relu3", channels, 0.0)]) if channels else network.net
        logits = trace(net, x, ()).logits
        return float(logits[named] - logits[true])

    shown = [picture["number"] for picture in component(at, f"channels_{row}")["pictures"]]
    some = {*shown, *range(0, 128, 4)}
    falls = {channel: lead() - lead(channel) for channel in some}
    assert len(shown) == failures.TIPPING
    assert shown == sorted(falls, key=lambda channel: -falls[channel])[: failures.TIPPING]


def test_a_click_on_a_channel_opens_it_for_that_image(app: Open, scanned: tuple[Scan, Path]) -> None:
    at = app(errors="failures")
    row = int(filters.rows(predictions(scanned[0].logits, scanned[0].labels), Filter(), "confident")[0])
    number, channel = row, component(at, f"channels_{row}")["pictures"][0]["number"]
    click(at, f"channels_{row}", number=channel)
    assert not at.exception
    assert at.query_params["source"] == "scenes"
    assert int(at.query_params.get("scene", "0")) == number
    assert at.query_params["channel"] == str(channel)
    assert at.header[0].value.lower().startswith(f"channel {channel} of ")


def test_opening_a_failure_sets_the_true_class_against_the_prediction(
    app: Open, scanned: tuple[Scan, Path]
) -> None:
    at, one = app(errors="failures"), scanned[0]
    button = next(each for each in at.button if str(each.key).startswith("open_"))
    row = int(str(button.key).split("_")[1])
    button.click().run()
    assert not at.exception
    assert at.header[0].value == f"Why “{one.classes[one.labels[row]]}”?"
    assert f"(wrong: labeled {one.classes[one.labels[row]]})" in html(at)
    assert not [each for each in at.button if each.key == "explain_true"]  # it is explained already
    at.switch_page("views/compare/page.py").run()
    assert not [each for each in at.button if each.key == "explain_true"]
    true, predicted = one.classes[one.labels[row]], one.classes[one.predicted[row]]
    assert f"Why “{true}” rather than “{predicted}”?" in html(at)


def test_the_way_back_to_errors_is_one_press(app: Open) -> None:
    at = app(errors="failures")
    next(each for each in at.button if str(each.key).startswith("open_")).click().run()
    assert at.button(key="way_back").label == "Back to Errors"
    at.switch_page("views/explain/page.py").run()  # AppTest stays where the script began
    at.button(key="way_back").click().run()
    assert not at.exception
    assert at.header[0].value == "Errors"
    assert at.query_params["errors"] == "failures"
    at.switch_page("views/explain/page.py").run()
    assert not [each for each in at.button if each.key == "way_back"]


@pytest.mark.parametrize("part", ["matrix", "classes", "calibration", "failures"])
def test_every_text_of_each_part_is_translated(app: Open, part: str) -> None:
    words.use(PSEUDO)
    try:
        at = app(errors=part, lang=PSEUDO)
        assert untranslated(texts(at.main)) == []
    finally:
        words.use(ENGLISH)


@pytest.mark.parametrize("part", ["matrix", "failures"])
def test_no_space_stands_behind_a_chinese_sentence(app: Open, part: str) -> None:
    at = app(errors=part, lang="zh_CN")
    assert "。" in "".join(texts(at.main))
    assert [text for text in texts(at.main) if re.search("[。：；] ", text)] == []


@pytest.fixture
def offer(app: Open, monkeypatch: pytest.MonkeyPatch) -> Offer:
    offers: list[Offer] = []
    monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
    monkeypatch.chdir(ROOT)
    app()
    return offers[-1]


def test_downloads_of_the_failures_hold_what_the_cards_show(
    app: Open, network: Network, scanned: tuple[Scan, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[Offer] = []
    monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
    monkeypatch.setattr(figures, "DPI", 50)
    monkeypatch.chdir(ROOT)
    at, one = app(errors="failures"), scanned[0]
    offer, rows = offers[-1], filters.rows(predictions(one.logits, one.labels), Filter(), "confident")[:3]
    table = offer.tables["Failures"]()
    assert table["seed"].tolist() == one.ids[rows].tolist()
    titles = [panels[0].title.split(":")[0] for panels in offer.figure()[::2]]  # type: ignore[index]
    assert titles == [f"Image {number}" for number in table["image"]]
    assert table["label"].tolist() == [one.classes[k] for k in one.labels[rows]]
    assert table["predicted"].tolist() == [one.classes[k] for k in one.predicted[rows]]
    exponents = np.exp(one.logits[rows])
    np.testing.assert_allclose(table["confidence"], exponents.max(1) / exponents.sum(1), rtol=1e-4)
    for place, row in enumerate(rows.tolist()):
        cards = component(at, f"channels_{row}")["pictures"]
        channels = [int(table[f"channel_{k}"][place]) for k in (1, 2, 3)]
        assert channels == [card["number"] for card in cards]
        x = network.card.to_input(drawn_scenes(network.card).take(scene_number(int(one.ids[row]))).pixels)
        for k, channel in enumerate(channels, 1):
            net = altered(network.net, [Change("relu3", (channel,), 0.0)])
            logits, named, true = trace(net, x, ()).logits, one.predicted[row], one.labels[row]
            without = float(logits[named] - logits[true])
            fall = table["lead"][place] - table[f"lead_falls_by_{k}"][place]
            assert fall == pytest.approx(without, abs=1e-3)
            assert table[f"predicted_without_{k}"][place] == one.classes[logits.argmax()]
    assert [len(row) for row in offer.figure()] == [4, 3] * 3  # type: ignore[arg-type]
    assert all(len(make()) for make in downloads.files(offer).values())
    for name, draw in offer.pictures.items():
        assert "channel" in name or data_uri(draw()) in html(at)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(offer.snippet, "snippet", "exec"), {"__name__": "__main__"})
    assert [number(float(line)) in offer.printed for line in printed.getvalue().split()] == [True] * 2


def test_the_maps_and_downloads_of_two_classes_with_the_same_name_stay(
    app: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[Offer] = []
    monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
    monkeypatch.setattr(Evaluation, "classes", property(lambda _: ("crane",) * 10))
    page = html(app(errors="failures"))
    maps = [name for name in offers[-1].pictures if "Grad-CAM of" in name]
    assert len(maps) == 3 * failures.SHOWN
    assert all(data_uri(offers[-1].pictures[name]()) in page for name in maps)
    titles = [panel.title for row in offers[-1].figure()[::2] for panel in row]  # type: ignore[union-attr]
    assert len(set(titles)) >= 3 * failures.SHOWN
    app(errors="classes")
    assert len(set(offers[-1].figure()[0][1].names)) == 10  # type: ignore[index, union-attr]


def test_downloads_hold_what_the_page_shows(offer: Offer, scanned: tuple[Scan, Path]) -> None:
    one = scanned[0]
    rows = offer.tables["Predictions"]()
    assert rows["seed"].tolist() == one.ids.tolist()
    assert rows["image"].tolist() == [scene_number(seed) for seed in one.ids.tolist()] == [*range(COUNT)]
    assert (rows["correct"] == one.correct).all()
    assert offer.tables["Confusion matrix"]().drop(columns="true class").to_numpy().sum() == COUNT
    classes = offer.tables["Classes"]().set_index("class")
    of_class = one.labels == 3
    assert classes.loc["cat", "recall"] == pytest.approx((one.predicted[of_class] == 3).mean())
    files = downloads.files(offer)
    for name, make in files.items():
        if name.endswith(".csv"):
            assert len(pd.read_csv(io.BytesIO(make())))
    figure = files[f"{downloads.stem(offer, 'figure')}.png"]()
    assert min(Image.open(io.BytesIO(figure)).size) > 300
    for draw in offer.pictures.values():
        assert draw().std() > 5
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(offer.snippet, "snippet", "exec"), {"__name__": "__main__"})
    assert f" {printed.getvalue().strip()}." in offer.printed


@pytest.mark.parametrize("largest", [9, 999, 9_999])
def test_printed_counts_leave_air_in_their_cells(largest: int) -> None:
    table = np.random.default_rng(0).integers(0, largest + 1, (24, 24))
    table[3, 5] = largest
    axes = Figure().subplots()
    charts._draw_matrix(axes, table, table / table.sum(1, keepdims=True), [str(k) for k in range(24)])
    (counts,) = axes.collections
    places = np.argwhere(table)[:, ::-1]  # x is the column
    for path, place in zip(counts.get_paths(), places, strict=True):
        box = path.get_extents()
        assert np.abs(box.get_points() - place).max() < 0.4
        assert box.height > 0.15


def test_without_labels_of_its_classes_there_is_no_error_to_count(
    visit: Open, scanned: tuple[Scan, Path], tmp_path: Path
) -> None:
    one = scanned[0]
    unlabeled = Scan(**{**vars_of(one), "labels": np.full(COUNT, -1)})
    result.save(unlabeled, tmp_path / "any.safetensors")
    at = visit("errors", "--scans", str(tmp_path), checkpoint="cifar10-course")
    assert not at.exception
    assert "None of these images has a label" in at.info[0].value


@pytest.fixture
def diverged(
    visit: Open, scanned: tuple[Scan, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int, str], tuple[AppTest, Offer]]:
    """Open a part of the page on a scan with NaN or infinity in the logits of its first so many images."""

    def opened(count: int, part: str) -> tuple[AppTest, Offer]:
        logits, offers = scanned[0].logits.copy(), list[Offer]()
        logits[:count] = np.nan
        logits[: count // 2, 1:] = -np.inf
        one = Scan(**{**vars_of(scanned[0]), "logits": logits})
        result.save(one, tmp_path / "any.safetensors")
        monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
        at = visit(
            "errors", "--scans", str(tmp_path), checkpoint="cifar10-course", errors=part, err_order="loss"
        )
        assert not at.exception, at.exception[0].value
        return at, offers[-1]

    return opened


@pytest.mark.parametrize("part", ["matrix", "classes", "calibration", "failures"])
def test_images_with_nan_are_wrong_and_counted(
    diverged: Callable[[int, str], tuple[AppTest, Offer]], scanned: tuple[Scan, Path], part: str
) -> None:
    at, offer = diverged(5, part)
    correct = int(scanned[0].correct[5:].sum())
    assert f"n = {COUNT}): {COUNT - correct} images are wrong" in html(at)
    assert "5 images have no prediction, because the network gives NaN or infinity" in html(at)
    every = " ".join([html(at), *(each.value for each in (*at.markdown, *at.caption))])
    assert re.search(r"\bnan\b", every) is None
    assert offer.tables["Predictions"]()["predicted"].tolist()[:5] == [""] * 5


@pytest.mark.parametrize("part", ["matrix", "classes", "calibration", "failures"])
def test_a_network_that_gives_nan_for_all_has_nothing_to_calibrate(
    diverged: Callable[[int, str], tuple[AppTest, Offer]], part: str
) -> None:
    at, offer = diverged(COUNT, part)
    assert "no evidence of miscalibration" not in html(at)
    said = " ".join(each.value for each in at.info)
    assert ("there is no calibration to measure" in said) == (part == "calibration")
    if part == "matrix":
        assert all(len(make()) for make in downloads.files(offer).values())


def vars_of(one: Scan) -> dict[str, object]:
    """The fields of a scan, without what it has computed since."""
    return {name: getattr(one, name) for name in Scan.__dataclass_fields__}


def test_without_a_checkpoint_the_sidebar_says_why(visit: Open, tmp_path: Path) -> None:
    at = visit("errors", "--checkpoint", str(tmp_path / "none.safetensors"))
    assert not at.exception
    assert "There is no checkpoint at" in at.error[0].value


def test_without_a_scan_a_button_starts_one(visit: Open, tmp_path: Path) -> None:
    at = visit("errors", "--scans", str(tmp_path), source="upload")
    assert not at.exception
    assert [button.label for button in at.button if button.key == "scan_start"] == ["Scan 1,000 images"]
    assert any(each.value.startswith("There is no test set in ") for each in at.main.caption)
