"""The Augmentation page in each of its states, run without a browser."""

import base64
import io
import re
from collections.abc import Callable
from functools import partial
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.drawing.pictures import data_uri
from explorer.drawing.ranges import number, probability
from explorer.engine import augmented, samples
from explorer.ui.exports.downloads import Offer
from explorer.ui.markdown import literal
from model import words
from model.augment import AUGMENTATIONS
from model.card import Card
from model.checkpoint import load_checkpoint
from model.recipes import RECIPES

ROOT = Path(__file__).parents[2]
Open = Callable[..., AppTest]
Take = Callable[..., tuple[AppTest, Offer]]
GROUPS = list(dict.fromkeys(transform.group for transform in AUGMENTATIONS.values()))


@pytest.fixture
def app(visit: Open) -> Open:
    return partial(visit, "augmentation")


def check(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].value
    assert not at.error, at.error[0].value
    assert at.header[0].value == "This image under each transform"
    return at


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.main.get("html"))


def drawn(at: AppTest, name: str) -> list[np.ndarray]:
    """The pictures of one transform's row."""
    pictures = re.findall(rf'alt="{name}, draw \d:[^"]*" src="data:image/png;base64,([^"]+)"', html(at))
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in pictures]


def labels(at: AppTest) -> list[str]:
    return re.findall(r'alt="A training image: ([^"]*)"', html(at))


@pytest.mark.parametrize("group", GROUPS)
def test_every_transform_has_its_slider_and_its_draws(app: Open, group: str) -> None:
    at = check(app(transforms=group))
    for name, transform in AUGMENTATIONS.items():
        if transform.group == group:
            slider = at.select_slider(key=f"strength_{name}")
            assert float(slider.value) == transform.strength
            assert (float(slider.options[0]), float(slider.options[-1])) == transform.range
            assert len(drawn(at, name)) == 6
            assert any(transform.summary in text.value for text in at.markdown)
        else:
            assert not drawn(at, name)


def test_strength_zero_shows_the_image_as_the_network_gets_it(app: Open) -> None:
    at = check(app(sample="horse", strength_rotate="0"))
    framed = Card().framed(samples.scene(7).pixels)
    for picture in drawn(at, "rotate"):
        np.testing.assert_array_equal(picture, framed)
    at.select_slider(key="strength_rotate").set_value("90").run()
    assert any((picture != framed).any() for picture in drawn(check(at), "rotate"))
    assert at.query_params["strength_rotate"] == "90"


def test_draw_again_takes_the_next_seed(app: Open) -> None:
    at = check(app())
    before, first = drawn(at, "rotate"), labels(at)
    at.session_state["seed_steps"] = {"count": {"drawn": "once", "sum": 1}}  # a click on Draw again
    at.run()
    check(at)
    assert at.query_params["seed"] == "1"
    assert any((one != other).any() for one, other in zip(before, drawn(at, "rotate"), strict=True))
    assert labels(at) != first
    again = check(app(seed="1"))
    for one, other in zip(drawn(at, "rotate"), drawn(again, "rotate"), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("group", "name"), [("pixel", "blur"), ("semantic", "cutout")])
def test_the_predictions_of_draws_stand_below_one_line_each(app: Open, group: str, name: str) -> None:
    shown = html(check(app(transforms=group)))
    captions = re.findall(rf'alt="{name}, draw \d[^>]*><figcaption>(.*?)</figcaption>', shown)
    assert len(captions) == 6
    for caption in captions:
        assert len(re.findall(r"<div[^>]*>[^<]+</div>", caption)) == 2


def test_a_mixed_picture_has_a_mixed_label(app: Open) -> None:
    labels = re.findall(
        r'alt="cutmix, draw \d: ([^"]*)"', html(check(app(transforms="semantic", sample="cat")))
    )
    assert len(labels) == 6
    assert any(re.search(r"\d+% cat", label) and label.count("%") == 2 for label in labels)


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_a_batch_shows_its_labels_and_mixes_them_where_asked(app: Open, mixing: str) -> None:
    plain = labels(check(app()))
    assert len(plain) == 64
    assert set(plain) <= set(Card().classes)
    at = check(app(mixing=mixing))
    assert any("%" in words for words in labels(at))
    assert any(mixing in caption.value for caption in at.caption)


def test_another_recipe_makes_another_batch(app: Open) -> None:
    at = check(app(recipe="fast"))
    captions = " ".join(caption.value for caption in at.caption)
    assert "`crop,flip`" in captions
    assert f"Batch size in training: {RECIPES['fast'].batch_size}." in captions
    assert "Flips alternate" in captions


def test_training_images_come_from_the_data_folder(app: Open, tmp_path: Path) -> None:
    for name in ("owl", "zebra"):
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        for level in range(3):
            Image.fromarray(np.full((40, 40, 3), 40 * level, np.uint8)).save(folder / f"{level}.png")
    at = check(app())
    assert sorted(labels(at)) == ["owl"] * 3 + ["zebra"] * 3
    assert any(f"6 images from {literal(tmp_path.name)}/train" in caption.value for caption in at.caption)


def test_training_images_that_cannot_be_read_are_a_sentence(app: Open, tmp_path: Path) -> None:
    (tmp_path / "train" / "owl").mkdir(parents=True)
    at = check(app())
    assert "has no images" in at.warning[0].value
    assert drawn(at, "rotate")


@pytest.mark.parametrize(
    "link",
    [{"transforms": "magic"}, {"seed": "-1"}, {"strength_crop": "7"}, {"recipe": "<b>"}, {"mixing": "x"}],
)
def test_a_link_with_nonsense_shows_the_default(app: Open, link: dict[str, str]) -> None:
    check(app(**link))


def test_every_draw_has_the_networks_prediction_and_the_original_stands_beside_it(app: Open) -> None:
    from torchvision import transforms  # not before this project repairs it

    at = check(app(sample="horse", strength_rotate="180", checkpoint="scenes-course"))
    opened = load_checkpoint(ROOT / "checkpoints" / "scenes-course.safetensors")
    net, mean, std = opened.build().eval(), opened.card.mean, opened.card.std
    to_input = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])
    before = opened.card.framed(samples.scene(7).pixels)
    row = next(each for each in html(at).split("fx-draws")[1:] if "rotate, draw 1" in each)
    pictures = [before, *drawn(at, "rotate")]
    with torch.no_grad():
        probabilities = net(torch.stack([to_input(each) for each in pictures])).softmax(1)
    wanted = []
    for each in probabilities:
        best = int(each.argmax())
        wanted.append(f"{opened.card.classes[best]} {probability(float(each[best]), 0)}")
    shown = re.findall(r'<div class="strong">([^<]*)</div>', row)
    assert [unescape(each) for each in shown[:7]] == wanted
    assert "The image without a transform" in row
    changed = sum(each.argmax() != probabilities[0].argmax() for each in probabilities[1:])
    said = " ".join(caption.value for caption in at.caption)
    same = sum(bool((picture == before).all()) for picture in drawn(at, "rotate"))
    assert re.search(
        rf"{same} of 6 draws leaves? the image unchanged. {changed} changes? the prediction", said
    )


def test_how_many_draws_leave_the_image_unchanged_is_counted(app: Open) -> None:
    at = check(app(sample="horse"))
    framed = Card().framed(samples.scene(7).pixels)
    same = sum(bool((picture == framed).all()) for picture in drawn(at, "flip"))
    assert 0 < same < 6
    said = [caption.value for caption in at.caption if "of 6 draws" in caption.value]
    assert any(text.startswith(f"{same} of 6 draws leave") for text in said)
    for strength, count in (("0", 6), ("1", 0)):
        at = check(app(sample="horse", strength_flip=strength))
        assert any(f"{count} of 6 draws leave" in caption.value for caption in at.caption)


def test_the_normalized_image_and_the_datas_statistics_are_shown(app: Open) -> None:
    at = check(app(sample="horse", checkpoint="scenes-course"))
    card = load_checkpoint(ROOT / "checkpoints" / "scenes-course.safetensors").card
    values = card.framed(samples.scene(7).pixels) / 255
    images = augmented.training_images(Path("nowhere"), card).data.images / 255
    text = html(at)
    for c, name in enumerate(("red", "green", "blue")):
        row = re.search(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', text).group(1)  # type: ignore[union-attr]
        cells = re.findall(r"<td>([^<]*)</td>", row.replace("−", "-"))
        x = (values[..., c] - card.mean[c]) / card.std[c]
        assert cells[0] == f"{values[..., c].mean():.3f}, {values[..., c].std():.3f}"
        assert cells[1] == f"{card.mean[c]:.3f}, {card.std[c]:.3f}"
        assert cells[2:4] == [f"{x.mean():.3f}, {x.std():.3f}", f"{x.min():.3f} … {x.max():.3f}"]
        data = text.partition("mean, card")[2].partition(f">{name}<")[2]
        assert f"{images[..., c].mean():.3f} (" in data
        assert f"{images[..., c].std():.3f} (" in data
    assert "they fit these images" in " ".join(caption.value for caption in at.caption)


# Download


@pytest.fixture
def take(opened: Take) -> Take:
    return partial(opened, "augmentation")


@pytest.mark.parametrize(
    ("group", "mixing"), [("geometric", "none"), ("pixel", "mixup"), ("semantic", "cutmix")]
)
def test_the_program_makes_the_same_draw_and_batch(
    take: Take, capsys: pytest.CaptureFixture[str], group: str, mixing: str
) -> None:
    at, offer = take(transforms=group, mixing=mixing, seed="5", sample="ship", recipe="fast")
    capsys.readouterr()
    exec(compile(offer.snippet, "snippet", "exec"), {"__name__": "__main__"})
    draw, mean = capsys.readouterr().out.splitlines()
    name, draw_number = re.search(r"draw (\d) of (\w+)", offer.printed).group(2, 1)  # type: ignore[union-attr]
    under = re.search(rf'alt="{name}, draw {draw_number}: ([^"]*)"', html(at)).group(1)  # type: ignore[union-attr]
    assert draw in under
    assert re.search(r"\d", draw)
    assert f": {draw}. It prints" in offer.printed
    assert float(mean) == pytest.approx(offer.arrays()["batch"][0].mean())
    assert f"{number(float(mean))} of 255" in offer.printed


def test_a_program_of_a_chinese_page_prints_what_the_page_says_in_chinese(
    take: Take, capsys: pytest.CaptureFixture[str]
) -> None:
    _, offer = take(transforms="geometric", seed="5", sample="ship", lang="zh_CN")
    capsys.readouterr()
    before = words.language()
    words.use(words.ENGLISH)  # as a program begins
    try:
        exec(compile(offer.snippet, "snippet", "exec"), {"__name__": "__main__"})
    finally:
        words.use(before)
    draw = capsys.readouterr().out.splitlines()[0]
    assert re.search("[一-鿿]", draw)
    assert draw in offer.printed


def test_pictures_and_arrays_are_the_tiles_of_the_page(take: Take) -> None:
    at, offer = take(seed="2")
    held = offer.arrays()
    batch, rotate = held["batch"][0], held["draws_rotate"][0]
    assert batch.shape == (64, 32, 32, 3)
    assert rotate.shape == (6, 32, 32, 3)
    for picture in (*batch, *rotate):
        assert data_uri(picture) in html(at)
    sheet = offer.pictures["the batch"]()[::4, ::4]  # every pixel is a square of four
    strip = offer.pictures["rotate, draws"]()
    np.testing.assert_array_equal(sheet[:32, :32], batch[0])
    np.testing.assert_array_equal(strip[:128:4, 130:258:4], rotate[1])


def test_labels_are_downloaded_with_their_fractions(take: Take) -> None:
    at, plain = take()
    rows = plain.tables["Labels"]()
    assert (rows["fraction"] == 1).all()
    assert rows["class"].tolist() == labels(at)
    _, mixed = take(mixing="mixup", transforms="semantic")
    rows = mixed.tables["Labels"]()
    assert (rows["fraction"] < 1).any()
    np.testing.assert_allclose(rows.groupby("image")["fraction"].sum(), np.ones(64), rtol=1e-5)
    draws = mixed.tables["Draws"]()
    assert len(draws) == 18
    own = mixed.arrays()["fractions_mixup"][0][:, 0]
    np.testing.assert_array_equal(draws[draws["transform"] == "mixup"]["own_fraction"], own)


def test_without_training_images_the_draws_are_offered(take: Take, tmp_path: Path) -> None:
    (tmp_path / "train" / "owl").mkdir(parents=True)
    _, offer = take()
    assert "the batch" not in offer.pictures
    assert "rotate, draws" in offer.pictures
    assert set(offer.tables) == {"Draws", "Normalization"}
    assert "batch" not in offer.snippet
    assert len(offer.figure()) == 1
