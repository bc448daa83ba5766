"""Everything that every page gives away is made and opened; its programs are run as they are."""

import ast
import contextlib
import csv
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.drawing import figures
from explorer.drawing.colormaps import color
from explorer.drawing.pictures import data_uri, enlarged
from explorer.drawing.ranges import number, per_channel, shared
from explorer.drawing.sheets import columns_for
from explorer.ui.exports import downloads
from explorer.ui.exports.downloads import Offer
from tests import forks

ROOT = Path(__file__).parents[2]
MOBILENET = ("--net", "torchvision.models:mobilenet_v3_small(num_classes=3)", "--input-size", "32",
             "--classes", "cat,dog,horse")  # fmt: skip
OWN_SCALES = {"evidence": "signed", "cam_scale": "own", "method": "layer_cam", "cam_stage": "conv"}
FAST = {"checkpoint": "cifar10-fast"}  # it has snapshots
GRID = {"block": "2", "stage": "norm", "channel": "5", "scale": "channel", "order": "mean", "cell": "0-3"}
CASES = {
    "explain": ("explain", {"class": "dog"}),
    "explain, own scales": ("explain", OWN_SCALES),
    "explain, one scale": ("explain", {"cam_scale": "shared"}),
    "maps": ("maps", {"sample": "horse"}),
    "maps, ordered, each its own scale": ("maps", GRID),
    "maps, pooled": ("maps", {"block": "3", "stage": "pool"}),
    "interventions": ("interventions", {"marked": "relu3~5.52~relu2~0-3", "how": "mean"}),
    "interventions, a covered square": ("interventions", {"change": "patch", "patch": "4.8.9"}),
    "interventions, effects": ("interventions", {"change": "effect", "block": "2"}),
    "interventions, a search": ("interventions", {"change": "other", "sample": "cat"}),
    "batchnorm": ("batchnorm", {"channel": "7"}),
    "batchnorm, drawn scenes": ("batchnorm", {"of": "scenes", "images": "16"}),
    "compare, two stages": ("compare", {"b_stage": "conv", "channel": "3"}),
    "compare, two images": ("compare", {"b_own": "image", "b_sample": "dog", "scale": "channel"}),
    "compare, other shapes": ("compare", {"b_block": "3"}),
    "compare, two classes": ("compare", {"compare": "classes", "against": "truck"}),
    "compare, two networks": ("compare", {"b_own": "checkpoint", "class": "dog"}),
    "compare, two epochs": ("compare", {**FAST, "b_own": "epoch", "b_epoch": "6", "a_block": "2"}),
    "shortcut": ("shortcut", {"sample": "horse", "mark": "dog"}),
    "shift": ("shift", {"shift_measured": "yes", "shift_images": "64", "shift": "jpeg"}),
    "training": ("training", {}),
    "scoreboard": ("scoreboard", {"checkpoint": "scenes-course"}),
    "time machine": ("time_machine", {**FAST, "sample": "horse", "epoch": "6", "evidence": "signed"}),
    "time machine, maps": ("time_machine", {**FAST, "over_time": "maps", "channel": "3"}),
    "time machine, filters": ("time_machine", {**FAST, "over_time": "filters", "class": "dog"}),
    "time machine, batchnorm": ("time_machine", {**FAST, "over_time": "norm", "norm": "bn2"}),
    "channel": ("channel", {**FAST, "block": "2", "channel": "5"}),
    "augmentation": ("augmentation", {"sample": "horse"}),
    "dropout": ("dropout", {"mask": "3"}),
    "mlp": ("mlp", {}),
    "data map": ("data_map", {"train_image": "12"}),
    "data map, numbers only": ("data_map", {"log": "cifar10-fast-rerun", "map_color": "forgetting"}),
    "augmentation, mixed": ("augmentation", {"transforms": "semantic", "mixing": "cutmix", "seed": "3"}),
}  # fmt: skip
Open = Callable[..., tuple[AppTest, Offer]]
pytestmark = pytest.mark.usefixtures("patient", "coarse")
Visit = Callable[..., AppTest]


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts by themselves have fewer pixels: those of print take most of the time."""
    monkeypatch.setattr(figures, "DPI", 100)


def output(program: str) -> str:
    """What a program prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "snippet", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def promised(offer: Offer, printed: str) -> bool:
    """Whether every line that was printed, or every number in it rounded as on the page, was promised."""
    lines = printed.splitlines()
    return bool(lines) and all(f" {line}" in offer.printed or rounded(offer, line) for line in lines)


def rounded(offer: Offer, line: str) -> bool:
    return all(f" {number(float(one))}" in offer.printed for one in line.split())


def html(at: AppTest) -> str:
    return " ".join(piece.proto.body for piece in at.get("html"))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


# Files


def check_png(data: bytes) -> None:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert picture.format == "PNG"
    assert max(picture.size) >= 200


def check_csv(data: bytes) -> None:
    table = pd.read_csv(io.BytesIO(data))
    assert len(table)
    assert not table.columns.str.startswith("Unnamed").any()
    assert np.isfinite(table.select_dtypes("number").to_numpy()).all()


def check_npz(data: bytes) -> None:
    held = np.load(io.BytesIO(data), allow_pickle=False)
    said = str(held["README"])
    for name in held.files:
        array = held[name]
        assert name == "README" or f"\n{name}: {array.dtype} {array.shape}, " in said
        assert array.dtype.kind in "US" or np.isfinite(array).all()


def check_pdf(data: bytes) -> None:
    assert data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", data)) == 1
    assert data.rstrip().endswith(b"%%EOF")


def check_zip(data: bytes) -> None:
    archive = zipfile.ZipFile(io.BytesIO(data))
    names = [name for name in archive.namelist() if name != "caption.txt"]
    for name in names:
        check_png(archive.read(name))
    assert re.search("(Checkpoint|^Run) (cifar10-|scenes-|mlp )", archive.read("caption.txt").decode())


CHECKS = {
    ".png": check_png, ".csv": check_csv, ".npz": check_npz, ".pdf": check_pdf, ".zip": check_zip,
    ".py": ast.parse,
}  # fmt: skip


def check_files(offer: Offer) -> None:
    """Every file opens, and no two share a name."""
    made = downloads.files(offer)
    assert {Path(name).suffix for name in made} == set(CHECKS)
    assert len(made) == len(offer.pictures) + len(offer.tables) + 5
    for name, make in made.items():
        assert re.fullmatch(r"[\w.-]+", name)
        CHECKS[Path(name).suffix](make())


def check_pictures(at: AppTest, offer: Offer) -> None:
    """The pictures for download are those on the page."""
    shown = html(at) + " ".join(each.proto.json for each in at.get("bidi_component"))
    on_canvas = {name for name in offer.pictures if name.endswith("all channels")}
    aside = {"B, the image", "A, the image"}  # a side shows what the network gets of it
    for name, draw in offer.pictures.items():
        assert name in on_canvas | aside or data_uri(draw()) in shown, name


def check_fold(at: AppTest) -> None:
    """The fold of downloads, opened, offers every kind."""
    before = labels(at)
    assert all(label.startswith("Animation") for label in before)
    at.session_state["take_away"] = True
    at.run()
    assert not at.exception, at.exception[0].value
    found = labels(at).difference(before)
    assert {"This picture, PNG", "All pictures, ZIP", "Arrays, NPZ", "Figure, PNG", "Figure, PDF"} <= found
    assert any(label.endswith("CSV") for label in found)
    assert "print(" in at.code[-1].value


def labels(at: AppTest) -> set[str]:
    return {button.proto.label for button in at.get("download_button")}


@pytest.mark.parametrize("case", CASES)
def test_every_file_opens_is_as_shown_and_is_offered_and_the_program_prints_the_number(
    opened: Open, case: str
) -> None:
    page, link = CASES[case]
    at, offer = opened(page, **link)
    check_files(offer)
    if page in ("explain", "compare"):
        check_pictures(at, offer)
    assert promised(offer, output(offer.snippet)), offer.printed
    check_fold(at)


def test_a_caption_can_be_traced_back(opened: Open) -> None:
    _, offer = opened("explain", **OWN_SCALES)
    assert "Image cat (drawn) · Method LayerCAM · Layer conv1, conv2, conv3 · Class cat · " in offer.caption
    assert re.search(r"Range conv1 −\S+ … \S+, conv2 .*, one scale per map · ", offer.caption)
    assert re.search(r"Checkpoint cifar10-\w+ \([0-9a-f]{12}\)$", offer.caption)


def test_nothing_is_made_before_it_is_asked_for(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    _, offer = opened("maps")
    drawn: list[str] = []
    monkeypatch.setattr(downloads, "png", lambda *_: drawn.append("png") or b"")
    monkeypatch.setattr(downloads.figures, "figure", lambda *_: drawn.append("figure") or b"")
    made = downloads.files(offer)
    assert not drawn
    next(make for name, make in made.items() if name.endswith("figure.pdf"))()
    assert drawn == ["figure"]


def test_a_spreadsheet_reads_names_as_they_are_and_computes_none_of_them() -> None:
    names = ["=1+1", "@SUM(A1)", "+cmd", "-x", "猫", 'a "b", c', "two\nlines", "-1", "+1.5", "cat"]
    table = pd.DataFrame({"class": names, "=value": np.arange(10) - 5.5, "correct": [True, None] * 5})
    data = downloads.csv(table)
    assert data.startswith(b"\xef\xbb\xbf")  # Excel reads Chinese letters with this only
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["class", "'=value", "correct"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'@SUM(A1)", "'+cmd", "'-x", *names[4:]]
    assert [float(row[1]) for row in rows[1:]] == table["=value"].tolist()
    assert [row[2] for row in rows[1:]] == ["True", ""] * 5
    assert downloads.csv(pd.DataFrame({"p": np.float32([0.1])})) == b"p\n0.1\n"
    assert downloads.csv(pd.DataFrame({"class": [], "p": []})) == b"class,p\n"
    assert downloads.csv(pd.DataFrame({"class": ["cat"]})) == b"class\ncat\n"


# They are what the page shows


def test_the_sheet_is_the_grid_with_its_scale_and_order(opened: Open) -> None:
    _, offer = opened("maps", **GRID)
    maps = offer.arrays()["maps"][0]
    order = np.argsort(-maps.mean((1, 2)), kind="stable")
    picture = offer.pictures["all channels"]()
    side = (picture.shape[1] + 2) // columns_for(len(maps)) - 2
    for place in (0, 1, columns_for(len(maps)) - 1):
        left = place * (side + 2)
        own = per_channel(maps, signed=True)[order[place]]
        tile = enlarged(color(maps[order[place]], own), side // maps.shape[2])
        np.testing.assert_array_equal(picture[:side, left : left + side], tile)


def test_without_a_choice_all_channels_share_a_scale(opened: Open) -> None:
    _, offer = opened("maps", block="3")
    maps = offer.arrays()["maps"][0]
    picture = offer.pictures["all channels"]()
    side = (picture.shape[1] + 2) // columns_for(len(maps)) - 2
    tile = enlarged(color(maps[0], shared(maps, signed=False)), side // maps.shape[2])
    np.testing.assert_array_equal(picture[:side, :side], tile)


def test_the_figure_of_a_batchnorm_has_the_charts_of_the_page(opened: Open) -> None:
    for of in ("image", "scenes"):
        at, offer = opened("batchnorm", of=of, images="16", channel="7")
        drawn = {chart.title for row in offer.figure() for chart in row}  # type: ignore[union-attr]
        assert [len(row) for row in offer.figure()] == [1, 3] + [3] * (of == "image")  # type: ignore[arg-type]
        assert {f"**{title}**" for title in drawn} & {each.value for each in at.markdown}


def test_two_sides_share_a_range_for_each_channel(opened: Open) -> None:
    _, offer = opened("compare", b_own="image", b_sample="dog", scale="channel", channel="4")
    a, b = (offer.arrays()[name][0][4] for name in ("a_maps", "b_maps"))
    range = shared(a, b, signed=False)
    np.testing.assert_array_equal(offer.pictures["A, channel 4"](), color(a, range))
    np.testing.assert_array_equal(offer.pictures["B, channel 4"](), color(b, range))


def test_arrays_are_those_behind_the_number(opened: Open) -> None:
    _, offer = opened("explain", **{"class": "dog"})
    held = np.load(io.BytesIO(downloads.npz(offer.arrays(), offer.caption)))
    assert float(output(offer.snippet)) == pytest.approx(held["heat_relu3"].max(), rel=1e-5)
    _, offer = opened("maps", **GRID)
    held = np.load(io.BytesIO(downloads.npz(offer.arrays(), offer.caption)))
    assert float(output(offer.snippet)) == pytest.approx(held["maps"][5].mean(), rel=1e-5)
    np.testing.assert_allclose(held["probabilities"].sum(), 1, rtol=1e-5)


def test_the_table_of_a_cell_ends_in_the_map(opened: Open) -> None:
    _, offer = opened("maps", **GRID)
    steps, maps = offer.tables["Position"](), offer.arrays()["maps"][0]
    assert steps["step"].tolist()[:2] == ["Convolution", "BatchNorm2d"]
    np.testing.assert_allclose(steps["value"], steps["traced"], rtol=1e-4, atol=1e-5)
    assert steps["value"][1] == pytest.approx(maps[5, 0, 3], abs=1e-5)


# Programs, from wherever the picture came


def test_a_program_runs_from_the_projects_folder(opened: Open) -> None:
    _, offer = opened("explain")
    ran = forks.run("-c", offer.snippet)
    assert promised(offer, ran.stdout)


def test_a_test_image_is_found_again(opened: Open, tmp_path: Path) -> None:
    for place in range(3):
        path = tmp_path / "test" / "cat" / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(np.random.default_rng(place).integers(0, 256, (40, 52, 3), np.uint8)))
    _, offer = opened("explain", "--data-dir", str(tmp_path), source="test", index="2", fit="squash")
    assert ".sample(2)" in offer.snippet
    assert "'squash'" in offer.snippet
    assert promised(offer, output(offer.snippet))


def test_an_upload_is_read_from_a_file_of_its_name(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers: list[Offer] = []
    monkeypatch.setattr(downloads, "show", lambda make: offers.append(make()))
    at = visit("explain", source="upload")
    data = png(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8))
    at.file_uploader[0].set_value([("mine.png", data, "image/png")]).run()
    (tmp_path / "mine.png").write_bytes(data)
    program = offers[-1].snippet.replace("checkpoints/", f"{ROOT}/checkpoints/")
    monkeypatch.chdir(tmp_path)
    assert promised(offers[-1], output(program))


@pytest.mark.parametrize("page", ["explain", "maps"])
def test_a_network_of_ones_own_is_built_again(opened: Open, page: str) -> None:
    _, offer = opened(page, *MOBILENET)
    assert "open_checkpoint(Source(net='torchvision.models:mobilenet_v3_small" in offer.snippet
    assert promised(offer, output(offer.snippet))
