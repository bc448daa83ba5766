"""The page Attributions in a browser: strips appear one by one, a long one is stopped and goes on."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

PATIENT = 300_000


def test_strips_appear_and_the_scores_can_be_read(page: Page, serve: Callable[..., str]) -> None:
    page.goto(f"{serve('explorer/app.py')}/attributions?methods=grad_cam")
    expect(page.get_by_role("heading", name="What the scores compare")).to_be_visible(timeout=PATIENT)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    expect(page.locator(".fx-trust .band")).to_have_count(page.locator(".fx-trust .head").count())
    page.locator(".fx-trust summary").first.click()
    expect(page.get_by_text("Single deletion removes each of 16 patches")).to_be_visible()


def test_a_long_strip_is_stopped_and_goes_on(page: Page, serve: Callable[..., str]) -> None:
    link = "checkpoint=cifar10-resnet9&methods=occlusion,smooth_grad,expected_gradients"
    page.goto(f"{serve('explorer/app.py')}/attributions?{link}")
    page.get_by_role("button", name="Stop").click(timeout=PATIENT)
    expect(page.get_by_role("button", name="Continue")).to_be_visible(timeout=PATIENT)
    progress = page.get_by_text("maps and scores are computed")
    page.wait_for_timeout(3000)  # for the one that was being computed
    before = progress.inner_text()
    page.wait_for_timeout(2000)
    assert progress.inner_text() == before
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible(timeout=PATIENT)
    expect(progress).not_to_have_text(before, timeout=PATIENT)
