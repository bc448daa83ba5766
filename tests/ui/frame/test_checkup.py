"""What the pages say of a network's check-up, and that none shows a map of zeros."""

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn

from explorer.drawing.ranges import Range
from explorer.ui import panels
from explorer.ui.frame import pages
from explorer.ui.options import parser
from explorer.ui.selection import Selection
from tests.model.containers import grid

PAGES = [page.folder for page in pages.PAGES if page.image and page.header] + ["network", "mlp"]
Visit = Callable[..., AppTest]
CLASSES = "airplane,automobile,bird,cat"


class Small(nn.Module):
    """Two blocks; `final` makes of logits what the network returns."""

    def __init__(self, final: Callable[[Tensor], Tensor], channels: int = 3, classes: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.fc, self.final = nn.Linear(4, classes), final

    def forward(self, x: Tensor) -> Tensor:
        return self.final(self.fc(self.second(self.first(x)).mean((2, 3))))


class Cut(Small):
    """The first block runs without gradients; with `whole`, also the second."""

    def __init__(self, whole: bool) -> None:
        super().__init__(nn.Identity())
        self.whole = whole

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            maps = self.first(x)
        with torch.set_grad_enabled(not self.whole):
            maps = self.second(maps)
        return self.fc(maps.mean((2, 3)))


class Repeats(Small):
    """One activation, deep inside, that runs twice."""

    def __init__(self) -> None:
        super().__init__(nn.Identity())
        self.deeper = nn.ModuleDict({"inside": nn.ModuleDict({"relu": nn.ReLU()})})
        self.first[2], self.second[2] = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        relu = self.deeper["inside"]["relu"]
        return self.fc(relu(self.second(relu(self.first(x)))).mean((2, 3)))


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "softmax": lambda: Small(nn.Softmax(1)),
    "functional": lambda: Small(lambda z: z.softmax(1)),
    "sigmoid": lambda: Small(nn.Sigmoid()),
    "single": lambda: Small(nn.Sigmoid(), classes=1),
    "gray": lambda: Small(nn.Identity(), channels=1),
    "random": lambda: Small(lambda z: z + torch.rand(())),
    "dead": lambda: Small(lambda z: z * 0 + 1),
    "nan": lambda: Small(lambda z: z * float("nan")),
    "half": lambda: Cut(whole=False),
    "cut": lambda: Cut(whole=True),
    "repeats": Repeats,
    "heads": lambda: Small(lambda z: {"out": z, "aux": z}),  # type: ignore[arg-type,return-value]
}


@pytest.fixture
def at(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a network of BUILDERS on a page."""
    module = ModuleType("own_checked_pages")
    for name, build in BUILDERS.items():
        setattr(module, name, build)
    monkeypatch.setitem(sys.modules, "own_checked_pages", module)

    def opened(name: str, page: str = "explain", classes: str = CLASSES, **link: str) -> AppTest:
        options = ("--net", f"own_checked_pages:{name}", "--input-size", "16", "--classes", classes)
        return visit(page, *options, **link)

    return opened


def html(at: AppTest) -> str:
    return " ".join(str(each.proto.body) for each in at.get("html"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("softmax", "Heat maps explain the logits before the final activation, “final”."),
        ("functional", "heat maps explain the log-probability."),
        ("sigmoid", "a probability for each label, independent of the others."),
        ("gray", "Every picture is converted to gray"),
        ("heads", "Of several outputs “out” (1 × 4) is used, and “aux” not"),
    ],
)
def test_the_page_says_what_was_found_and_done(at: Callable[..., AppTest], name: str, sentence: str) -> None:
    page = at(name)
    assert not page.exception, page.exception[0].value
    assert sentence in html(page)
    assert not page.warning


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("random", "draws random numbers in eval mode, which change its logits by up to"),
        ("dead", "the same logits for two different pictures"),
        ("half", "reaches 3 of 6 layers"),
        ("cut", "reaches 6 of 6 layers"),
    ],
)
def test_what_can_make_results_wrong_is_a_warning(
    at: Callable[..., AppTest], name: str, sentence: str
) -> None:
    assert sentence in at(name).warning[0].value


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["gray", "cut"])
def test_every_page_opens(at: Callable[..., AppTest], name: str, page: str) -> None:
    opened = at(name, page)
    assert not opened.exception, opened.exception[0].value
    assert not opened.error
    if name == "cut" and page == "explain":
        assert "No gradient of a class reaches any layer" in opened.info[0].value
        assert "Grad-CAM of" not in html(opened)


def test_a_layer_without_gradients_is_left_out(at: Callable[..., AppTest]) -> None:
    opened = at("half")
    assert "No gradient of a class reaches first.2, so there is no heat map" in opened.info[0].value
    assert "Grad-CAM of" in html(opened)


def test_two_classes_of_a_network_without_gradients_are_one_sentence(at: Callable[..., AppTest]) -> None:
    page = at("cut", "compare", compare="classes")
    assert not page.exception, page.exception[0].value
    assert "No gradient of a class reaches" in page.info[0].value


@pytest.mark.parametrize("page", ["explain", "batchnorm"])
def test_nan_is_one_sentence_on_every_page(at: Callable[..., AppTest], page: str) -> None:
    opened = at("nan", page)
    assert not opened.exception, opened.exception[0].value
    assert "NaN or infinity for this image" in opened.error[0].value


def test_a_label_has_a_probability_of_its_own(at: Callable[..., AppTest]) -> None:
    page = html(at("sigmoid"))
    assert "Most probable label" in page
    assert "of 4 labels" in page
    assert "wrong" not in page


def test_one_value_has_two_classes(at: Callable[..., AppTest]) -> None:
    page = at("single", classes="healthy,ill")
    assert page.selectbox(key="class").options[1:] == ["healthy", "ill"]
    assert "taken as that of the second of two classes" in html(page)


def test_a_map_of_zeros_is_a_sentence() -> None:
    selection = Selection.__new__(Selection)
    panel = panels.heat_panel(
        selection, "relu", torch.zeros(2, 2).numpy(), Range(0, 1), "Block 1", "Grad-CAM of cat at relu"
    )
    assert "There is no heat map: it is zero at every position" in panel
    assert "<img" not in panel


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--channels", "0"), "must be a number of channels from 1 to 1024"),
        (("--output", "softmax"), "must be one of logits, probabilities"),
        (("--mean", "0.1,0.2"), "three numbers"),
        (("--grid", "14"), "rows and columns such as 14x14"),
        (("--std", "1,2,3,4", "--channels", "5"), "has 4 numbers"),
    ],
    ids=str,
)
def test_a_wrong_option_is_one_sentence(visit: Visit, options: tuple[str, ...], message: str) -> None:
    opened = visit("explain", "--net", "a:b", *options)
    assert not opened.exception
    assert message in opened.error[0].value


def test_options_reach_the_source() -> None:
    given = parser().parse_args(["--output", "sigmoid", "--output-name", "out", "--channels", "1"])
    assert (given.output, given.output_name, given.channels) == ("sigmoid", "out", 1)
    assert parser().parse_args(["--grid", "8x4"]).grid == (8, 4)


# What a picture of one's own cannot be, and names of layers


@pytest.mark.parametrize(
    ("name", "classes", "message"),
    [
        (
            "softmax",
            CLASSES,
            "these 4 classes: airplane, automobile, bird, cat. It always names one",
        ),
        ("sigmoid", CLASSES, "knows only these 4 labels: airplane, automobile, bird, cat. It cannot name"),
        ("single", "dog", "knows only these 2 classes: not dog, dog. It always names one"),
        ("gray", CLASSES, "knows only these 4 classes"),
    ],
)
def test_an_uploaded_picture_may_be_of_no_class(
    at: Callable[..., AppTest], name: str, classes: str, message: str
) -> None:
    page = at(name, classes=classes, source="upload")
    page.file_uploader[0].set_value([("IMG_0001", grid("HEIF", 3, 2, 64), "")]).run()
    assert not page.exception
    assert message in " ".join(piece.proto.body for piece in page.get("html"))


def test_names_of_repeated_layers_are_explained_and_long_ones_break_behind_dots(
    at: Callable[..., AppTest],
) -> None:
    page = " ".join(piece.proto.body for piece in at("repeats").get("html"))
    assert "“deeper.<wbr>inside.<wbr>relu#2” is call 2 of “deeper.<wbr>inside.<wbr>relu” for" in page
    assert "several times" not in " ".join(piece.proto.body for piece in at("softmax").get("html"))
