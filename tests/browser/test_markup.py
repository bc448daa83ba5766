"""Text from a file is text: names full of Markdown, HTML and addresses stand on every page as they are."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from model.card import Card
from model.checkpoint import save_checkpoint
from model.history import About, Epoch, History, save_history
from tests.browser.navigation import PATHS

MARKUP = (
    "![x](http://localhost:9/leak) [l](http://localhost:9/l) http://localhost:9/bare :red[red] $x^2$ "
    ":material/home: :material_home: :joy: :streamlit: `code` **bold** ~~gone~~ <i>html</i> <img src=leak> "
    "a | b &copy; -> x"
)
IN_A_FILE = MARKUP.replace("/", "&#47;")[:150]  # an entity is a slash again in an address
JOINER = "\u2060"
NETWORK = f"""
from torch import nn

from tests.browser.navigation import PATHS

def build():
    net = nn.Sequential()
    for name, layer in (
        ("conv", nn.Conv2d(3, 8, 3, padding=1)), ("norm", nn.BatchNorm2d(8)), ("relu", nn.ReLU()),
        ("other", nn.GroupNorm(2, 8)), ("flat", nn.Flatten()), ("out", nn.Linear(8 * 16 * 16, 3)),
    ):
        net.add_module(f"{{name}} " + {MARKUP!r}, layer)
    return net
"""
WITHOUT_NAMES = (
    "scoreboard",
    "shortcut",
    "mlp",
    "optimizers",
    "errors",
    "channels",
    "class_evidence",
    "set_map",
    "data_map",
)
"""Pages of the shipped networks alone, or that begin with a scan."""
PAGES = (
    *(path for path in PATHS if path not in WITHOUT_NAMES),
    "compare?compare=classes",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, its checkpoint, its run, a damaged snapshot and a test set, all named with markup."""
    root = tmp_path_factory.mktemp("markup")
    (root / "named_with_markup.py").write_text(NETWORK)
    space: dict[str, Callable[[], torch.nn.Module]] = {}
    exec(NETWORK, space)
    torch.manual_seed(0)
    state = space["build"]().state_dict()
    classes = tuple(f"{name} {MARKUP}" for name in ("one", "two", "three"))
    card = Card(net=MARKUP, classes=classes, input_size=16, data=MARKUP, recipe=MARKUP, metrics={MARKUP: 1.0},
                config={MARKUP: MARKUP}, versions={MARKUP: MARKUP})  # fmt: skip
    path = root / f"{IN_A_FILE}.safetensors"
    save_checkpoint(path, card, state)
    rows = [Epoch(n, 2 / n, 0.1 * n, 1.9 / n, 0.125 * n, 1e-3, 400.0, 20.0) for n in (1, 2)]
    about = About(4, 5, MARKUP, path.name, MARKUP, MARKUP, "stopped")
    save_history(root / f"{IN_A_FILE}.history.json", History([2.0] * 10, rows, about))
    save_history(root / f"other {IN_A_FILE}.history.json", History([2.0] * 10, rows, about))
    (root / f"bad {IN_A_FILE}.history.json").write_text("[]")
    snapshots = root / f"{IN_A_FILE}.snapshots"
    snapshots.mkdir()
    (snapshots / "epoch-0000.safetensors").write_bytes(b"damaged")
    save_checkpoint(snapshots / "epoch-0001.safetensors", card, state)
    for name in ("one", "two"):
        place = root / "test" / f"{name} {IN_A_FILE}"
        place.mkdir(parents=True)
        Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(place / "a.png")
    return root


@pytest.fixture
def url(serve: Callable[..., str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return serve(
        "explorer/app.py", "--runs", str(folder), "--data-dir", str(folder),
        "--net", "named_with_markup:build", "--checkpoint", str(folder / f"{IN_A_FILE}.safetensors"),
    )  # fmt: skip


@pytest.fixture
def asked(page: Page) -> list[str]:
    """What the browser asks for that is none of the server's own."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    return urls


def settle(page: Page) -> None:
    expect(page.get_by_test_id("stMain")).to_contain_text("![x](http")
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def is_plain(page: Page) -> None:
    """Nothing on the page came of markup: no link, picture, formula, color or sign."""
    made = "img[src*=leak], a[href*=localhost], .katex, .stMarkdownColoredText, del, i:text('html')"
    signs = "[aria-label='home icon'], img[alt='Streamlit logo']"
    expect(page.locator(f"{made}, {signs}")).to_have_count(0)
    body = page.locator("body").inner_text().replace(JOINER, "")
    assert "😂" not in body
    assert "©" not in body


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path or "network")
def test_names_are_text_on_every_page(page: Page, url: str, asked: list[str], path: str) -> None:
    page.goto(f"{url}/{path}")
    settle(page)
    for fold in page.locator("[data-testid=stExpander] summary").all():
        fold.click()
    settle(page)
    is_plain(page)
    assert not [each for each in asked if "leak" in each]


def test_a_picture_and_what_is_wrong_with_it_are_text(page: Page, url: str, asked: list[str]) -> None:
    page.goto(f"{url}/explain?source=upload")
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(file, "PNG")
    for content in (file.getvalue(), b"no picture"):
        page.locator("input[type=file]").set_input_files(
            {"name": f"{IN_A_FILE}.png", "mimeType": "image/png", "buffer": content}
        )
        settle(page)
        page.wait_for_timeout(1000)
        settle(page)
        is_plain(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("![x]")
    assert not [each for each in asked if "leak" in each]
