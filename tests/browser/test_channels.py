"""The pages on a layer's channels over drawn scenes, as a visitor uses them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from explorer.engine.network import network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.scan import result, running
from explorer.engine.scan.images import drawn_scenes
from explorer.ui.options import ROOT


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan of one of the shipped networks over a few scenes."""
    folder = tmp_path_factory.mktemp("scans")
    opening = open_source(Source(ROOT / "checkpoints" / "scenes-course.safetensors"))
    network = network_of(opening.checkpoint, opening.checkup)
    result.save(running.scan(network, drawn_scenes(network.card, 30)), folder / "scenes.safetensors")
    return folder


def test_from_the_table_to_a_channel_and_back(page: Page, serve: Callable[..., str], scans: Path) -> None:
    root = serve("explorer/app.py", "--scans", str(scans))
    page.goto(f"{root}/channels?checkpoint=scenes-course&block=3")
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    table.click(position={"x": 18, "y": 55})  # the box of the first row
    button = page.get_by_role("button", name=re.compile(r"^\d+ in Feature maps"))
    channel = button.inner_text().split()[0]
    button.click()
    heading = page.get_by_role("heading", name=f"Channel {channel} of relu3")
    expect(heading).to_be_visible()
    page.go_back()
    expect(table).to_be_visible()
    assert "block=3" in page.url
