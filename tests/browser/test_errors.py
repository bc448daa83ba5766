"""From the confusion matrix of drawn scenes to one of them on Explain, and on to Compare."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from explorer.engine.network import network_of
from explorer.engine.scan import result
from explorer.engine.scan.images import drawn_scenes
from explorer.engine.scan.running import scan
from model.checkpoint import load_checkpoint
from tests.browser.navigation import follow
from tests.browser.test_back import settle

ROOT = Path(__file__).parents[2]


def test_a_confusion_leads_to_its_image(page: Page, serve: Callable[..., str], tmp_path: Path) -> None:
    network = network_of(load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors"))
    one = scan(network, drawn_scenes(network.card, 40))
    result.save(one, tmp_path / "scenes.safetensors")
    row = int(np.flatnonzero(~one.correct)[0])
    true, predicted = one.classes[one.labels[row]], one.classes[one.predicted[row]]
    pair = (one.labels == one.labels[row]) & (one.predicted == one.predicted[row])
    address = serve("explorer/app.py", "--scans", str(tmp_path))

    page.goto(f"{address}/errors?checkpoint=cifar10-course")
    name = f"{true} predicted as {predicted}: "
    cell = page.get_by_role("button", name=name)
    cell.click(timeout=30_000)
    expect(page.get_by_text(f"{name}{pair.sum()} image", exact=False).first).to_be_visible(timeout=30_000)
    expect(page).to_have_url(re.compile(f"err_true={true}&err_predicted={predicted}"))
    pictures = page.locator(".pictures button")
    expect(pictures).to_have_count(min(int(pair.sum()), 20))
    cell.press("Home")
    expect(page.get_by_role("rowheader").get_by_role("button", name=f"class {true}")).to_be_focused()

    pictures.first.click()
    expect(page.get_by_role("heading", name=f"Why “{true}”?")).to_be_visible(timeout=30_000)
    expect(page.get_by_text(f"(wrong: labeled {true})")).to_be_visible()
    expect(page.get_by_role("combobox", name="Class to explain")).to_have_value(true)
    expect(page).to_have_url(re.compile("source=scenes"), timeout=30_000)
    settle(page)
    follow(page, "Compare")
    question = page.get_by_text(f"Why “{true}” rather than “{predicted}”?")
    expect(question).to_be_visible(timeout=30_000)
    settle(page)
    page.go_back()
    expect(page.get_by_role("heading", name=f"Why “{true}”?")).to_be_visible(timeout=30_000)
    settle(page)
    page.go_back()
    expect(page.get_by_text(f"{name}{pair.sum()} image", exact=False).first).to_be_visible(timeout=30_000)
