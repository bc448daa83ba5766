"""What a wrong prediction offers, and what Compare begins with, by clicking in a real browser."""

import re
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from explorer.engine.samples import scene
from model.scenes import CLASSES

MISLABELED = (("cat", "dog"), ("frog", "frog"), ("horse", "ship"))  # by folder, and what is drawn


@pytest.fixture(scope="module")
def explorer(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("images")
    for place, (label, drawn) in enumerate(MISLABELED):
        path = folder / "test" / label / f"{place}.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(scene(CLASSES.index(drawn), 64).pixels).save(path)
    return serve("explorer/app.py", "--data-dir", str(folder))


def settle(page: Page, image: str) -> None:
    expect(page.get_by_alt_text(f"The image: {image}")).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def says(page: Page, **link: str) -> None:
    for key, value in link.items():
        expect(page).to_have_url(re.compile(rf"[?&]{key}={value}(&|$)"))


def box(page: Page, label: str) -> str:
    """What a select box shows."""
    return page.get_by_role("combobox", name=label).input_value()


def test_the_true_class_is_explained_in_one_click(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/maps?source=test")
    settle(page, "cat/0.png")
    page.get_by_role("button", name="Explain the true class").click()
    expect(page.get_by_alt_text("Grad-CAM of cat at").first).to_be_visible()
    settle(page, "cat/0.png")
    says(page, source="test", **{"class": "cat"})
    assert box(page, "Class to explain") == "cat"
    expect(page.get_by_role("button", name="Explain the true class")).to_have_count(0)
    page.get_by_role("button", name="Next").click()
    settle(page, "frog/1.png")
    expect(page.get_by_alt_text("Grad-CAM of cat at").first).to_be_visible()
    says(page, index="1", **{"class": "cat"})
    assert box(page, "Class to explain") == "cat"


@pytest.mark.parametrize("path", ["explain", "augmentation", "compare"])
def test_why_this_rather_than_the_true_class_in_one_click(
    page: Page, browser: Browser, explorer: str, path: str
) -> None:
    page.goto(f"{explorer}/{path}?source=test&class=truck")
    settle(page, "cat/0.png")
    page.get_by_role("button", name="Compare predicted and true class").click()
    expect(page.get_by_text("Why “dog” rather than “cat”?")).to_be_visible()
    settle(page, "cat/0.png")
    says(page, compare="classes", against="cat", source="test")
    assert "/compare?" in page.url
    assert "class=" not in page.url.replace("compare=classes", "")
    assert box(page, "Compare with") == "cat"
    assert box(page, "Class to explain") == "Predicted class"
    expect(page.get_by_role("button", name="Compare predicted and true class")).to_have_count(0)
    elsewhere = browser.new_context().new_page()
    elsewhere.goto(page.url)
    expect(elsewhere.get_by_text("Why “dog” rather than “cat”?")).to_be_visible()
    elsewhere.context.close()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Why “frog” rather than “cat”?")).to_be_visible()
    settle(page, "frog/1.png")
    says(page, compare="classes", against="cat", index="1")
    assert box(page, "Compare with") == "cat"


def test_the_runner_up_follows_the_image(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/compare?compare=classes&sample=cat")
    settle(page, "cat (drawn)")
    heading = page.get_by_text(re.compile("^Why “"))
    seen = set()
    for name in ("deer", "dog", "frog"):
        seen.add(heading.inner_text())
        page.get_by_role("button", name="Next").click()
        settle(page, f"{name} (drawn)")
        expect(heading).to_contain_text(f"Why “{name}”")
        assert box(page, "Compare with") == "Most probable other class"
    assert len(seen) == 3


def test_the_stage_of_b_follows_a_in_the_browser(page: Page, explorer: str) -> None:
    page.goto(f"{explorer}/compare?checkpoint=cifar10-fast")
    settle(page, "cat (drawn)")
    for _ in range(5):  # a list that opens while the page still moves closes again
        page.get_by_role("combobox", name="B shows").click()
        page.wait_for_timeout(400)
        if page.get_by_role("option", name="Another epoch of this run").count():
            break
    page.get_by_role("option", name="Another epoch of this run").click()
    expect(page.get_by_text("cifar10-fast, epoch 0")).to_be_visible()
    stages = page.get_by_role("radio", name="ReLU")
    expect(stages).to_have_count(2)
    for side in (0, 1):
        expect(stages.nth(side)).to_be_checked()
    page.get_by_role("radio", name="BatchNorm").first.click()
    for side in (0, 1):
        expect(page.get_by_role("radio", name="BatchNorm").nth(side)).to_be_checked()
    says(page, b_own="epoch", a_stage="norm")
    assert "b_stage" not in page.url
