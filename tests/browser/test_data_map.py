"""From a point of the data map to its image, and from there to Explain, as a visitor goes."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import QUIET


def test_a_click_on_a_point_chooses_its_image_and_explain_shows_it(
    page: Page, serve: Callable[..., str]
) -> None:
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.goto(f"{serve('explorer/app.py')}/data_map")
    expect(page.get_by_role("button", name="Open this image on Explain")).to_be_visible()
    expect(page.get_by_role("heading", name="Training image 884")).to_be_visible()
    page.evaluate(QUIET)  # nothing moves it any longer
    box = page.locator("[data-testid=stVegaLiteChart] canvas").first.bounding_box()
    assert box is not None
    for step in range(8):  # within the cloud, where nearly every place has a point
        page.mouse.click(box["x"] + 0.59 * box["width"] + 3 * step, box["y"] + 0.39 * box["height"])
        page.wait_for_timeout(700)
        if "train_image=" in page.url:
            break
    expect(page).to_have_url(re.compile("train_image="))
    page.wait_for_timeout(3_000)  # a later click may still be on its way
    match = re.search(r"train_image=(\d+)", page.url)
    assert match is not None
    expect(page.get_by_role("heading", name=f"Training image {match[1]}")).to_be_visible()
    page.get_by_role("button", name="Open this image on Explain").click()
    expect(page.get_by_text(f"scenes-mislabeled, training image {match[1]}").first).to_be_visible()
    expect(page).to_have_url(re.compile("checkpoint=scenes-mislabeled"))


def test_back_leads_to_the_run_of_the_checkpoint_before(
    page: Page, serve: Callable[..., str], tmp_path: Path
) -> None:
    shipped = Path(__file__).parents[2] / "checkpoints"
    for ending in ("safetensors", "examples.npz", "history.json"):
        shutil.copy(shipped / f"scenes-mislabeled.{ending}", tmp_path / f"mine.{ending}")
    url = serve("explorer/app.py", "--checkpoint", str(tmp_path / "mine.safetensors"))
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.goto(f"{url}/data_map")
    run, checkpoint = (page.get_by_role("combobox", name=name) for name in ("Run", "Checkpoint"))
    expect(run).to_have_value("mine")
    checkpoint.click()
    page.get_by_role("option", name="scenes-mislabeled", exact=True).click()
    expect(run).to_have_value("scenes-mislabeled")
    expect(page).to_have_url(re.compile("checkpoint=scenes-mislabeled"))
    page.go_back()
    expect(run).to_have_value("mine")
    assert "log=" not in page.url
