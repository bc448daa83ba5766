"""Many visitors at once, and one who stays long."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

SAMPLES = ("horse", "ship", "frog", "truck", "airplane")
INTERACTIONS = int(os.environ.get("INTERACTIONS", "300"))
WARM = 90  # interactions until the browser's heap, 15 MB at first, is no longer filling its own caches


def settled(page: Page, sample: str) -> None:
    expect(page.get_by_alt_text(f"The image: {sample} (drawn)")).to_be_visible(timeout=60_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_five_visitors_at_once_each_see_their_own(browser: Browser, serve: Callable[..., str]) -> None:
    url = serve("explorer/app.py")
    contexts = [browser.new_context() for _ in SAMPLES]
    pages = [context.new_page() for context in contexts]
    for page, sample in zip(pages, SAMPLES, strict=True):
        page.goto(f"{url}/explain?sample={sample}", wait_until="commit")
    alone = {}
    for page, sample in zip(pages, SAMPLES, strict=True):
        settled(page, sample)
        alone[sample] = heat_map(page)
    assert len(set(alone.values())) == len(SAMPLES)
    for page in pages:  # all ask again at the same time, for another class
        page.goto(page.url + "&class=cat", wait_until="commit")
    for page, sample in zip(pages, SAMPLES, strict=True):
        settled(page, sample)
    for context in contexts:
        context.close()
    again = browser.new_context().new_page()
    for sample in SAMPLES:  # one visitor alone gets what each got in the crowd
        again.goto(f"{url}/explain?sample={sample}")
        settled(again, sample)
        assert heat_map(again) == alone[sample]
    again.context.close()


def heat_map(page: Page) -> str:
    """The last block's Grad-CAM, as the picture's own bytes."""
    source = page.locator('img[alt*="at relu3, the raw map"]').first.get_attribute("src", timeout=30_000)
    assert source
    return source


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to read a process's memory")
def test_memory_stays_over_many_interactions(page: Page, serve: Callable[..., str]) -> None:
    """A visitor steps through the samples; once caches are warm, neither server nor browser grows by 10 %."""
    page.goto(f"{serve('explorer/app.py', '--data-dir', 'nowhere')}/explain")
    order = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    settled(page, "cat")

    def step(number: int) -> None:
        page.get_by_role("button", name="Next").first.click()
        settled(page, order[(number + 4) % len(order)])

    for number in range(WARM):
        step(number)
    before = memory(page)
    for number in range(WARM, WARM + INTERACTIONS):
        step(number)
    after = memory(page)
    growth = {name: after[name] / before[name] - 1 for name in before}
    assert all(share < 0.10 for share in growth.values()), growth


def memory(page: Page) -> dict[str, float]:
    """Bytes held by the server process, and by the page's JavaScript, the least of a few collections."""
    session, heaps = page.context.new_cdp_session(page), []
    for _ in range(5):
        session.send("HeapProfiler.collectGarbage")
        heaps.append(session.send("Runtime.getHeapUsage")["usedSize"])
        page.wait_for_timeout(200)
    heap = min(heaps)
    session.detach()
    pages = int(Path(f"/proc/{server_process()}/statm").read_text().split()[1])
    return {"server": pages * os.sysconf("SC_PAGE_SIZE"), "browser": heap}


def server_process() -> int:
    """The streamlit process with this test's own arguments."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"streamlit" in command and b"nowhere" in command:
            return int(folder.name)
    raise AssertionError("the server is not running")
