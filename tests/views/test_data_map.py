"""The page Data map without a browser: with and without the images, snapshots and logs."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.engine.data_map import SUSPECT, by_suspicion, data_map
from explorer.engine.training_images import logged_images, wrong_of
from explorer.ui.exports.downloads import Offer
from explorer.views.data_map import charts, page
from explorer.views.data_map.logs import LoggedRun, find_logs
from model.example_log import checksum, load_log, path_of_log, save_log

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "checkpoints" / "scenes-mislabeled.examples.npz"
RERUN = ROOT / "checkpoints" / "cifar10-fast-rerun.examples.npz"
Open = Callable[..., AppTest]


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def written(at: AppTest) -> str:
    assert not at.exception
    kinds = (at.markdown, at.caption, at.info, at.warning, at.subheader)
    return " ".join(each.value for kind in kinds for each in kind)


@pytest.fixture(scope="module")
def shipped() -> LoggedRun:
    log = load_log(SHIPPED)
    return LoggedRun("scenes-mislabeled", SHIPPED, log, data_map(log))


def test_the_page_begins_with_the_most_suspicious_scene(visit: Open, shipped: LoggedRun) -> None:
    at = visit("data_map")
    first = int(by_suspicion(shipped.map)[0])
    assert f"Training image {first}" in html(at)
    assert "label changed by --wrong-labels" in html(at)
    assert "This run changed 250 of 5,000 labels on purpose" in written(at)
    assert "4,000 of 5,000 images, chosen at random" in written(at)
    assert "near chance" not in written(at)


def test_a_run_near_chance_says_that_its_regions_mean_nothing(shipped: LoggedRun) -> None:
    early = replace(shipped.map, confidence=np.full_like(shipped.map.confidence, 0.15))
    assert "0.15, near chance (0.1)" in page.near_chance(early)


def test_a_run_without_snapshots_says_that_there_are_none(visit: Open, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED, path_of_log(path))
    shutil.copy(SHIPPED.with_name("scenes-mislabeled.safetensors"), path)
    at = visit("data_map", "--runs", str(tmp_path), log="mine", train_image="12")
    assert not at.exception
    assert "There are no snapshots of this run beside its checkpoint" in written(at)


def test_the_shipped_run_shows_each_image_through_the_epochs_and_opens_it_on_explain(visit: Open) -> None:
    at = visit("data_map", train_image="12")
    assert not at.exception
    assert re.findall(r", epoch (\d+)", html(at)) == ["0", "5", "10", "15", "20"]
    at.button(key="open_logged").click().run()
    assert not at.exception
    assert "scenes-mislabeled, training image 12" in html(at)


def test_without_snapshots_the_image_still_opens_on_explain(visit: Open, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED, path_of_log(path))
    shutil.copy(SHIPPED.with_name("scenes-mislabeled.safetensors"), path)
    at = visit("data_map", "--runs", str(tmp_path), log="mine", train_image="12")
    assert "There are no snapshots of this run" in written(at)
    at.button(key="open_logged").click().run()
    assert not at.exception
    assert "mine, training image 12" in html(at)


def test_a_link_chooses_the_image(visit: Open) -> None:
    at = visit("data_map", train_image="12", map_list="forgotten", map_color="forgetting")
    assert "Training image 12" in html(at)
    assert "images; select a row" in written(at)


def test_without_its_images_a_run_is_indices_and_numbers(visit: Open) -> None:
    at = visit("data_map", log="cifar10-fast-rerun")
    text = written(at)
    assert "The training images of this run are not available" in text
    assert "Grad-CAM needs the picture" in text
    assert "<img" not in html(at)


def test_without_its_images_a_run_offers_its_numbers(opened: Callable[..., tuple[AppTest, Offer]]) -> None:
    _, offer = opened("data_map", log="cifar10-fast-rerun", map_color="forgetting")
    assert list(offer.pictures) == ["data map", "probability by epoch"]
    images = offer.tables["Images"]()
    assert len(images) == 50_000
    assert images["region"].value_counts()["likely mislabeled"] == 736
    assert offer.arrays()["probabilities"][0].shape == (30, 50_000)


def test_another_run_forgets_the_image(visit: Open) -> None:
    at = visit("data_map", train_image="12")
    at.selectbox(key="log").set_value("cifar10-fast-rerun").run()
    assert "Training image 12<" not in html(at)


def test_the_page_shows_the_run_of_the_checkpoint_in_the_sidebar(visit: Open) -> None:
    at = visit("data_map", checkpoint="scenes-mislabeled")
    assert at.selectbox(key="log").value == "scenes-mislabeled"
    assert "checkpoint in the sidebar" not in written(at)
    at.selectbox(key="log").set_value("cifar10-fast-rerun").run()
    says = "data map of cifar10-fast-rerun, not that of scenes-mislabeled, the checkpoint in the sidebar"
    assert says in written(at)


def test_another_checkpoint_with_a_log_changes_the_run(visit: Open, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    shutil.copy(SHIPPED, path_of_log(path))
    shutil.copy(SHIPPED.with_name("scenes-mislabeled.safetensors"), path)
    at = visit("data_map", "--checkpoint", str(path), log="cifar10-fast-rerun")
    assert "not that of mine.safetensors, the checkpoint in the sidebar" in written(at)
    at.selectbox(key="checkpoint").set_value("cifar10-course").run()
    assert "cifar10-course, has no log of its training images" in written(at)
    assert "This is the data map of another run, cifar10-fast-rerun." in written(at)
    at.selectbox(key="checkpoint").set_value("mine.safetensors").run()
    assert "checkpoint in the sidebar" not in written(at)
    assert at.query_params.get("log") != ["cifar10-fast-rerun"]


def test_a_damaged_log_is_named(visit: Open, tmp_path: Path) -> None:
    (tmp_path / "mine.examples.npz").write_text("no")
    at = visit("data_map", "--runs", str(tmp_path), log="mine")
    assert "is not a log of training images" in written(at)


def test_logs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.examples.npz").touch()
    assert list(find_logs([tmp_path / "a", tmp_path / "b", tmp_path / "a"])) == ["a/run", "b/run"]


# The charts


def test_many_images_are_sampled_and_the_chosen_one_is_among_them(shipped: LoggedRun) -> None:
    drawn = charts.scatter(shipped, "region", None)
    assert len(drawn.images) == charts.MOST_POINTS == len(set(drawn.images.tolist()))
    missing = int(np.setdiff1d(np.arange(5000), drawn.images)[0])
    again = charts.scatter(shipped, "region", missing)
    assert missing in again.images
    assert len(again.images) == charts.MOST_POINTS


def test_groups_are_those_of_their_names(shipped: LoggedRun) -> None:
    one = replace(
        shipped.map,
        correctness=np.array([0, 0.05, 0.25, 0.3, 0.75, 0.8, 1], np.float32),
        forgetting=np.array([0, 1, 2, 3, 4, 6, 9]),
    )
    assert charts.COLORINGS["correctness"].groups(one).tolist() == [0, 1, 1, 2, 3, 4, 4]
    assert charts.COLORINGS["forgetting"].groups(one).tolist() == [4, 3, 2, 2, 1, 0, 0]
    for coloring in charts.COLORINGS.values():
        assert len(coloring.names) == len(coloring.colors)


# What ships


def test_the_shipped_run_finds_its_wrong_labels_better_than_its_last_loss(shipped: LoggedRun) -> None:
    wrong = wrong_of(shipped.log)
    assert wrong is not None
    assert len(wrong) == 250
    suspicious = by_suspicion(shipped.map)[:250]
    last = np.argsort(-shipped.map.last_loss, kind="stable")[:250]
    by_map, by_loss = (np.isin(each, wrong).mean() for each in (suspicious, last))
    assert by_map > by_loss + 0.03 > 0.5
    assert np.isin(np.flatnonzero(shipped.map.region == SUSPECT), wrong).mean() > 0.9


def test_the_shipped_scenes_are_drawn_as_they_were(shipped: LoggedRun) -> None:
    images = logged_images(shipped.log, Path("nowhere"))
    for index in (0, 884, 4999):
        assert checksum(images.sample(index).pixels) == shipped.log.checksums[index]


def test_the_log_of_cifar10_has_numbers_only() -> None:
    log = load_log(RERUN)
    assert log.confidence.shape == (30, 50_000)
    assert not np.isnan(log.confidence).any()
    assert RERUN.stat().st_size < 1.8e6
    assert wrong_of(log) is None
    with np.load(RERUN) as file:
        assert set(file.files) == {"confidence", "correct", "labels", "checksums", "card"}


def test_a_log_without_an_epoch_says_so(visit: Open, tmp_path: Path, shipped: LoggedRun) -> None:
    log = shipped.log
    save_log(
        tmp_path / "mine.examples.npz", replace(log, confidence=log.confidence[:0], correct=log.correct[:0])
    )
    at = visit("data_map", "--runs", str(tmp_path), log="mine")
    assert "No epoch of this run has been logged yet" in written(at)
